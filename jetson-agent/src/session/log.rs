//! Writing a run's sample log.

use super::monitor::Stop;
use crate::sys;
use shared::failure::{Failure, Kind};
use shared::run_folder::frames::FrameWriter;
use shared::run_folder::{Counts, InferenceSpan, Manifest, Pass, Record, Sample};
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Samples in one frame at most: 1.7 MB.
const SAMPLES_A_FRAME: usize = 100_000;
/// Collected records are written this often, so that a killed process loses no more.
const WRITE_NS: u64 = 100_000_000;
/// Written frames reach the disk this often, so that a power cut loses no more.
const SYNC_NS: u64 = 1_000_000_000;

/// A log open for writing, locked against a second writer and against `recover`.
#[derive(Debug)]
pub struct RunLog {
    frames: FrameWriter<File>,
    path: PathBuf,
    whole_bytes: u64,
    counts: Counts,
}

impl RunLog {
    /// Creates the log; it must not exist yet. The manifest is its first record.
    ///
    /// # Errors
    /// File system errors.
    pub fn create(path: &Path, manifest: &Manifest) -> Result<Self, Failure> {
        let io = |e: &std::io::Error| Failure::io(path, "create", e);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| Failure::io(folder, "create", &e))?;
        }
        let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|e| io(&e))?;
        if !sys::try_lock(&file) {
            return Err(Failure::new(Kind::Io, "is being written by another session").at(path));
        }
        let frames = FrameWriter::start(file).map_err(|e| io(&e))?;
        let mut log = Self { frames, path: path.to_owned(), whole_bytes: 0, counts: Counts::default() };
        log.append(&Record::Manifest(Box::new(manifest.clone())))?;
        log.sync()?;
        Ok(log)
    }

    /// Appends one record. When the disk is full the torn frame is cut off again, so that the log ends whole.
    ///
    /// # Errors
    /// File system errors.
    pub fn append(&mut self, record: &Record) -> Result<(), Failure> {
        if let Record::Samples(samples) = record
            && samples.len() > SAMPLES_A_FRAME
        {
            return samples.chunks(SAMPLES_A_FRAME).try_for_each(|part| self.append(&Record::Samples(part.to_vec())));
        }
        match self.frames.append(&record.encode()).and_then(|()| self.frames.sink().stream_position()) {
            Ok(position) => {
                self.whole_bytes = position;
                self.counts.add(record);
                Ok(())
            }
            Err(e) => {
                let file = self.frames.sink();
                let cut = file.set_len(self.whole_bytes).and_then(|()| file.seek(SeekFrom::Start(self.whole_bytes)));
                drop(cut);
                Err(Failure::io(&self.path, "append to", &e))
            }
        }
    }

    /// Makes what was appended survive a power cut.
    ///
    /// # Errors
    /// File system errors.
    pub fn sync(&mut self) -> Result<(), Failure> {
        self.frames.sink().sync_data().map_err(|e| Failure::io(&self.path, "flush", &e))
    }

    /// What it holds.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Seals the log: the manifest as it stands in the end, and the counts.
    ///
    /// # Errors
    /// File system errors.
    pub fn seal(&mut self, manifest: &Manifest) -> Result<(), Failure> {
        self.append(&Record::Manifest(Box::new(manifest.clone())))?;
        self.append(&Record::Seal(self.counts))?;
        self.sync()
    }
}

/// Records between two writes.
#[derive(Default)]
struct Pending {
    samples: Vec<Sample>,
    inferences: Vec<(Pass, Vec<InferenceSpan>)>,
    others: Vec<Record>,
}

impl Pending {
    fn add(&mut self, record: Record) {
        match record {
            Record::Samples(samples) => self.samples.extend(samples),
            Record::Inferences(pass, spans) => match self.inferences.last_mut() {
                Some((last, list)) if *last == pass => list.extend(spans),
                _ => self.inferences.push((pass, spans)),
            },
            other => self.others.push(other),
        }
    }

    fn is_empty(&self) -> bool {
        self.samples.is_empty() && self.inferences.is_empty() && self.others.is_empty()
    }

    fn write(&mut self, log: &mut RunLog) -> Result<(), Failure> {
        if !self.samples.is_empty() {
            log.append(&Record::Samples(std::mem::take(&mut self.samples)))?;
        }
        for (pass, spans) in self.inferences.drain(..) {
            log.append(&Record::Inferences(pass, spans))?;
        }
        for record in self.others.drain(..) {
            log.append(&record)?;
        }
        Ok(())
    }
}

/// The thread that writes the log.
#[derive(Debug)]
pub struct LogThread {
    thread: JoinHandle<(RunLog, Result<(), Failure>)>,
}

impl LogThread {
    /// Starts it. When the disk fails it sets `stop`, so that the session ends, and takes no more.
    #[must_use]
    pub fn start(log: RunLog, stop: Stop) -> (Self, Sender<Record>) {
        let (sender, receiver) = channel();
        let thread = std::thread::spawn(move || {
            let mut log = log;
            let result = write_all(&mut log, &receiver);
            if result.is_err() {
                stop.set();
            }
            (log, result)
        });
        (Self { thread }, sender)
    }

    /// Waits until every sender is gone and everything is written. The log comes back whole even when writing failed.
    ///
    /// # Errors
    /// When the thread panicked: a fault of the program.
    pub fn finish(self) -> Result<(RunLog, Result<(), Failure>), Failure> {
        self.thread.thread().unpark();
        self.thread.join().map_err(|_| Failure::new(Kind::Io, "the log's writer failed; run `jetson-agent recover`"))
    }
}

/// Takes what has been sent ten times a second, instead of being woken for each record: a wake costs more than most records do.
fn write_all(log: &mut RunLog, receiver: &Receiver<Record>) -> Result<(), Failure> {
    let mut pending = Pending::default();
    let (mut synced, mut unsynced) = (sys::monotonic_ns(), false);
    loop {
        let ended = loop {
            match receiver.try_recv() {
                Ok(record) => pending.add(record),
                Err(TryRecvError::Empty) => break false,
                Err(TryRecvError::Disconnected) => break true,
            }
        };
        let now = sys::monotonic_ns();
        if !pending.is_empty() {
            pending.write(log)?;
            unsynced = true;
        }
        if unsynced && (ended || now - synced >= SYNC_NS) {
            (synced, unsynced) = (now, false);
            log.sync()?;
        }
        if ended {
            return Ok(());
        }
        let left = (now + WRITE_NS).saturating_sub(sys::monotonic_ns());
        std::thread::park_timeout(Duration::from_nanos(left));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::run_folder::read_sample_log;

    #[test]
    fn records_of_several_threads_arrive_and_a_second_writer_is_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("run/samples.eplog");
        let log = RunLog::create(&path, &Manifest::new("m", "test")).expect("creates");
        assert!(RunLog::create(&path, &Manifest::new("m", "test")).is_err());
        let stop = Stop::default();
        let (thread, sender) = LogThread::start(log, stop.clone());
        std::thread::scope(|scope| {
            for rail in 0..4 {
                let sender = sender.clone();
                scope.spawn(move || {
                    for t_ns in 0..1_000 {
                        sender.send(Record::Samples(vec![Sample { t_ns, rail, mv: 1.0, ma: 1.0 }])).expect("sends");
                    }
                });
            }
        });
        drop(sender);
        let (mut log, result) = thread.finish().expect("joins");
        result.expect("writes");
        log.seal(&Manifest::new("m", "test")).expect("seals");
        let content = read_sample_log(&path).expect("reads");
        assert_eq!(content.counts.samples, 4_000);
        assert_eq!(content.seal, Some(content.counts));
        assert!(content.damage.is_clean() && !stop.is_set());
    }

    #[test]
    fn what_is_sent_is_in_the_file_soon_though_nothing_follows_it() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("samples.eplog");
        let log = RunLog::create(&path, &Manifest::new("m", "test")).expect("creates");
        let (thread, sender) = LogThread::start(log, Stop::default());
        let sample = |t_ns| Record::Samples(vec![Sample { t_ns, rail: 0, mv: 1.0, ma: 1.0 }]);
        let span = InferenceSpan { cycle: 0, start_ns: 1, end_ns: 2 };
        let held = || read_sample_log(&path).expect("reads").counts;
        for (number, record) in
            [sample(1), sample(2), Record::Inferences(Pass::Power, vec![span])].into_iter().enumerate()
        {
            sender.send(record).expect("sends");
            let deadline = sys::monotonic_ns() + 60_000_000_000;
            while held().samples + held().power_inferences <= number as u64 {
                assert!(sys::monotonic_ns() < deadline, "record {number} is not in the file");
                sys::sleep_until(sys::monotonic_ns() + 5_000_000);
            }
        }
        drop(sender);
        thread.finish().expect("joins").1.expect("writes");
        assert_eq!((held().samples, held().power_inferences), (2, 1));
    }

    #[test]
    fn a_large_batch_is_split_into_frames() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("samples.eplog");
        let mut log = RunLog::create(&path, &Manifest::new("m", "test")).expect("creates");
        let samples = (0..250_000).map(|t_ns| Sample { t_ns, rail: 0, mv: 1.0, ma: 1.0 }).collect();
        log.append(&Record::Samples(samples)).expect("appends");
        drop(log);
        let content = read_sample_log(&path).expect("reads");
        assert_eq!((content.counts.samples, content.damage.frames), (250_000, 4));
    }
}
