//! The few calls of CUDA's driver that running an engine takes, from the library opened at run time.
//!
//! TensorRT's runtime has been seen to return a pointer that is neither null nor usable where CUDA does not work. So CUDA
//! is started here first, and TensorRT is asked only once that has succeeded.

use libloading::Library;
use std::ffi::{c_int, c_uint, c_void};
use std::path::Path;

type Result<T> = std::result::Result<T, String>;

/// A device with its primary context, current on this thread, and one stream.
pub(super) struct Cuda {
    library: Library,
    stream: *mut c_void,
}

/// Memory of the device, freed with it.
pub(super) struct Buffer<'a> {
    cuda: &'a Cuda,
    address: u64,
}

impl Cuda {
    /// Opens the driver's library and the first device.
    pub(super) fn open(given: Option<&Path>) -> Result<Self> {
        let name = given.unwrap_or(Path::new("libcuda.so.1"));
        // SAFETY: CUDA's driver library only registers itself when opened.
        let library = unsafe { Library::new(name) }.map_err(|e| format!("{}: {e}", name.display()))?;
        let mut cuda = Self { library, stream: std::ptr::null_mut() };
        let (mut count, mut device) = (0 as c_int, 0 as c_int);
        let mut context: *mut c_void = std::ptr::null_mut();
        // SAFETY: the signatures are those of cuda.h; every pointer is to a variable of ours.
        unsafe {
            cuda.check("cuInit", cuda.function::<unsafe extern "C" fn(c_uint) -> c_int>(b"cuInit\0")?(0))?;
            type Count = unsafe extern "C" fn(*mut c_int) -> c_int;
            cuda.check("cuDeviceGetCount", cuda.function::<Count>(b"cuDeviceGetCount\0")?(&raw mut count))?;
            if count < 1 {
                return Err("CUDA finds no device".into());
            }
            type Device = unsafe extern "C" fn(*mut c_int, c_int) -> c_int;
            cuda.check("cuDeviceGet", cuda.function::<Device>(b"cuDeviceGet\0")?(&raw mut device, 0))?;
            type Retain = unsafe extern "C" fn(*mut *mut c_void, c_int) -> c_int;
            let retain = cuda.function::<Retain>(b"cuDevicePrimaryCtxRetain\0")?;
            cuda.check("cuDevicePrimaryCtxRetain", retain(&raw mut context, device))?;
            type Current = unsafe extern "C" fn(*mut c_void) -> c_int;
            cuda.check("cuCtxSetCurrent", cuda.function::<Current>(b"cuCtxSetCurrent\0")?(context))?;
            type Stream = unsafe extern "C" fn(*mut *mut c_void, c_uint) -> c_int;
            let create = *cuda.function::<Stream>(b"cuStreamCreate\0")?;
            // 1: does not wait for the default stream.
            let code = create(&raw mut cuda.stream, 1);
            cuda.check("cuStreamCreate", code)?;
        }
        Ok(cuda)
    }

    fn function<T>(&self, name: &[u8]) -> Result<libloading::Symbol<'_, T>> {
        // SAFETY: every caller gives the type that cuda.h gives the name.
        unsafe { self.library.get(name) }.map_err(|e| e.to_string())
    }

    fn check(&self, call: &str, code: c_int) -> Result<()> {
        match code {
            0 => Ok(()),
            35 => Err(format!("{call}: the driver is older than this CUDA (error 35)")),
            100 => Err(format!("{call}: no device (error 100)")),
            other => Err(format!("{call}: CUDA error {other}")),
        }
    }

    /// The stream that inferences run on.
    pub(super) fn stream(&self) -> *mut c_void {
        self.stream
    }

    /// Waits for everything on the stream.
    pub(super) fn synchronise(&self) -> Result<()> {
        type Synchronise = unsafe extern "C" fn(*mut c_void) -> c_int;
        let synchronise = self.function::<Synchronise>(b"cuStreamSynchronize\0")?;
        // SAFETY: the stream was made by `open` and lives as long as we do.
        self.check("cuStreamSynchronize", unsafe { synchronise(self.stream) })
    }

    /// Memory of zeros.
    pub(super) fn zeros(&self, bytes: usize) -> Result<Buffer<'_>> {
        type Allocate = unsafe extern "C" fn(*mut u64, usize) -> c_int;
        type Set = unsafe extern "C" fn(u64, u8, usize) -> c_int;
        let mut address = 0;
        let bytes = bytes.max(1);
        // SAFETY: the address is ours; what is set is what was allocated.
        unsafe {
            self.check("cuMemAlloc", self.function::<Allocate>(b"cuMemAlloc_v2\0")?(&raw mut address, bytes))?;
            let buffer = Buffer { cuda: self, address };
            self.check("cuMemsetD8", self.function::<Set>(b"cuMemsetD8_v2\0")?(address, 0, bytes))?;
            Ok(buffer)
        }
    }
}

impl Buffer<'_> {
    /// Its address on the device.
    pub(super) fn address(&self) -> *mut c_void {
        self.address as usize as *mut c_void
    }
}

impl Drop for Buffer<'_> {
    fn drop(&mut self) {
        type Free = unsafe extern "C" fn(u64) -> c_int;
        if let Ok(free) = self.cuda.function::<Free>(b"cuMemFree_v2\0") {
            // SAFETY: the address was allocated by `zeros` and is freed once.
            unsafe { free(self.address) };
        }
    }
}
