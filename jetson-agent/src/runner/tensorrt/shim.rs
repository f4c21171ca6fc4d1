//! The shim's functions, made safe.

use libloading::Library;
use std::ffi::{CStr, CString, c_char, c_float, c_int, c_void};
use std::path::Path;
use std::sync::Mutex;

type Log = extern "C" fn(*mut c_void, c_int, *const c_char);
type Layer = extern "C" fn(*mut c_void, *const c_char, c_float);

unsafe extern "C" {
    fn ep_trt_header_major() -> c_int;
    fn ep_trt_open(
        create: *mut c_void,
        plan: *const c_void,
        size: usize,
        log: Log,
        user: *mut c_void,
        out: *mut *mut c_void,
    ) -> c_int;
    fn ep_trt_close(trt: *mut c_void);
    fn ep_trt_tensors(trt: *const c_void) -> c_int;
    fn ep_trt_tensor_name(trt: *const c_void, index: c_int) -> *const c_char;
    fn ep_trt_is_input(trt: *const c_void, name: *const c_char) -> c_int;
    fn ep_trt_element_bytes(trt: *const c_void, name: *const c_char) -> c_int;
    fn ep_trt_shape(trt: *const c_void, name: *const c_char, dims: *mut i64) -> c_int;
    fn ep_trt_set_shape(trt: *mut c_void, name: *const c_char, dims: *const i64, count: c_int) -> c_int;
    fn ep_trt_output_bytes(trt: *const c_void, name: *const c_char) -> i64;
    fn ep_trt_set_address(trt: *mut c_void, name: *const c_char, address: *mut c_void) -> c_int;
    fn ep_trt_inspect(trt: *mut c_void, sink: Log, user: *mut c_void) -> c_int;
    fn ep_trt_profile(trt: *mut c_void, sink: Layer, user: *mut c_void) -> c_int;
    fn ep_trt_enqueue(trt: *mut c_void, stream: *mut c_void) -> c_int;
    fn ep_trt_report(trt: *mut c_void) -> c_int;
}

/// Why an engine could not be opened.
pub(super) enum OpenError {
    /// The engine itself: another version, another GPU, no engine.
    Engine(String),
    /// TensorRT or the device.
    Device(String),
}

/// What TensorRT said: errors and warnings. TensorRT may speak from threads of its own.
#[derive(Default)]
pub(super) struct Messages(Mutex<Vec<String>>);

impl Messages {
    /// The last messages, joined.
    pub(super) fn last(&self) -> String {
        let messages = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        messages.iter().rev().take(3).rev().map(String::as_str).collect::<Vec<_>>().join(" | ")
    }
}

extern "C" fn log(user: *mut c_void, severity: c_int, message: *const c_char) {
    // 0 internal error, 1 error, 2 warning.
    if severity > 2 || message.is_null() {
        return;
    }
    // SAFETY: `user` is the `Messages` that the engine owns; the message is a C string for the time of the call.
    let (messages, text) = unsafe { (&*user.cast::<Messages>(), CStr::from_ptr(message)) };
    let mut messages = messages.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if messages.len() < 1_000 {
        messages.push(text.to_string_lossy().into_owned());
    }
}

extern "C" fn collect_text(user: *mut c_void, _: c_int, text: *const c_char) {
    // SAFETY: `user` is the vector of the caller of `ep_trt_inspect`, which waits for us.
    unsafe { (*user.cast::<Vec<u8>>()).extend_from_slice(CStr::from_ptr(text).to_bytes()) };
}

extern "C" fn collect_layer(user: *mut c_void, name: *const c_char, ms: c_float) {
    // SAFETY: `user` is the list that the engine owns; reports come on the thread that asked for them.
    unsafe { (*user.cast::<Vec<(String, f32)>>()).push((CStr::from_ptr(name).to_string_lossy().into_owned(), ms)) };
}

/// A loaded engine with its execution context.
pub(super) struct LoadedEngine {
    trt: *mut c_void,
    /// Boxed: TensorRT keeps their addresses.
    messages: Box<Messages>,
    layers: *mut Vec<(String, f32)>,
    // Closed last.
    _library: Library,
}

/// A tensor at the engine's edge.
pub(super) struct EdgeTensor {
    pub(super) name: CString,
    pub(super) input: bool,
    pub(super) element_bytes: usize,
}

impl LoadedEngine {
    /// Opens TensorRT's library and loads an engine. CUDA must have been started.
    pub(super) fn open(library: Option<&Path>, plan: &[u8]) -> Result<Self, OpenError> {
        // SAFETY: compiled in, takes nothing.
        let header = unsafe { ep_trt_header_major() };
        let versioned = format!("libnvinfer.so.{header}");
        let name = library.unwrap_or(Path::new(&versioned));
        // SAFETY: TensorRT's library only runs its own initialisers when opened, which start no CUDA.
        let library =
            unsafe { Library::new(name) }.map_err(|e| OpenError::Device(format!("{}: {e}", name.display())))?;
        // SAFETY: the signature is that of NvInferRuntimeBase.h in every version.
        let version = unsafe {
            let function: libloading::Symbol<'_, unsafe extern "C" fn() -> i32> =
                library.get(b"getInferLibVersion\0").map_err(|e| OpenError::Device(e.to_string()))?;
            function()
        };
        let major = if version >= 100_000 { version / 10_000 } else { version / 1_000 };
        if major != header {
            return Err(OpenError::Device(format!(
                "{} is TensorRT {major}, this program was compiled against {header}",
                name.display()
            )));
        }
        // SAFETY: only its address is taken; the shim calls it with the types of NvInferRuntime.h.
        let create = unsafe { library.get::<*mut c_void>(b"createInferRuntime_INTERNAL\0") };
        // SAFETY: the symbol is a function, whose address is what the symbol points to.
        let create = unsafe { create.map_err(|e| OpenError::Device(e.to_string()))?.into_raw().into_raw() };
        let messages = Box::<Messages>::default();
        let mut trt = std::ptr::null_mut();
        let user = std::ptr::from_ref::<Messages>(&messages).cast_mut().cast::<c_void>();
        // SAFETY: plan and out are ours; `messages` outlives the engine.
        let step = unsafe { ep_trt_open(create, plan.as_ptr().cast(), plan.len(), log, user, &raw mut trt) };
        match step {
            0 => Ok(Self { trt, messages, layers: Box::into_raw(Box::default()), _library: library }),
            3 => Err(OpenError::Engine(messages.last())),
            2 => Err(OpenError::Device(format!("no runtime: {}", messages.last()))),
            4 => Err(OpenError::Device(format!("no execution context: {}", messages.last()))),
            other => Err(OpenError::Device(format!("step {other} failed: {}", messages.last()))),
        }
    }

    pub(super) fn messages(&self) -> &Messages {
        &self.messages
    }

    pub(super) fn tensors(&self) -> Vec<EdgeTensor> {
        // SAFETY: the engine is loaded; names are C strings that live as long as it does.
        unsafe {
            (0..ep_trt_tensors(self.trt))
                .map(|index| {
                    let name = CStr::from_ptr(ep_trt_tensor_name(self.trt, index)).to_owned();
                    let input = ep_trt_is_input(self.trt, name.as_ptr()) != 0;
                    let element_bytes = ep_trt_element_bytes(self.trt, name.as_ptr()).max(1) as usize;
                    EdgeTensor { name, input, element_bytes }
                })
                .collect()
        }
    }

    pub(super) fn shape(&self, name: &CStr) -> Vec<i64> {
        let mut dims = [0_i64; 8];
        // SAFETY: the array holds the eight extents that are written at most.
        let count = unsafe { ep_trt_shape(self.trt, name.as_ptr(), dims.as_mut_ptr()) };
        dims[..count.clamp(0, 8) as usize].to_vec()
    }

    pub(super) fn set_shape(&mut self, name: &CStr, dims: &[i64]) -> bool {
        // SAFETY: the slice holds as many extents as are said.
        unsafe { ep_trt_set_shape(self.trt, name.as_ptr(), dims.as_ptr(), dims.len() as c_int) != 0 }
    }

    pub(super) fn output_bytes(&self, name: &CStr) -> i64 {
        // SAFETY: the engine is loaded.
        unsafe { ep_trt_output_bytes(self.trt, name.as_ptr()) }
    }

    pub(super) fn set_address(&mut self, name: &CStr, address: *mut c_void) -> bool {
        // SAFETY: TensorRT keeps the address; the runner keeps the memory until the last inference is done.
        unsafe { ep_trt_set_address(self.trt, name.as_ptr(), address) != 0 }
    }

    pub(super) fn inspect(&mut self) -> Option<Vec<u8>> {
        let mut text: Vec<u8> = Vec::new();
        // SAFETY: the vector outlives the call, which is the only one to use it.
        let told = unsafe { ep_trt_inspect(self.trt, collect_text, std::ptr::from_mut(&mut text).cast()) };
        (told != 0 && !text.is_empty()).then_some(text)
    }

    pub(super) fn profile(&mut self) -> bool {
        // SAFETY: the list lives until the engine is closed.
        unsafe { ep_trt_profile(self.trt, collect_layer, self.layers.cast()) != 0 }
    }

    pub(super) fn enqueue(&mut self, stream: *mut c_void) -> bool {
        // SAFETY: the stream is one of this process's CUDA context.
        unsafe { ep_trt_enqueue(self.trt, stream) != 0 }
    }

    /// Layer names and ms of the inference that has finished, in the order in which they were reported.
    pub(super) fn report(&mut self) -> Option<Vec<(String, f32)>> {
        // SAFETY: reports come during the call, on this thread; afterwards nobody else holds the list.
        unsafe {
            (*self.layers).clear();
            (ep_trt_report(self.trt) != 0).then(|| std::mem::take(&mut *self.layers))
        }
    }
}

impl Drop for LoadedEngine {
    fn drop(&mut self) {
        // SAFETY: both were made by `open` and are given back once; the library is closed after.
        unsafe {
            ep_trt_close(self.trt);
            drop(Box::from_raw(self.layers));
        }
    }
}
