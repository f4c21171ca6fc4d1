// A thin C interface to TensorRT: load an engine, inspect it, run it, profile it. Nothing here links to TensorRT; the one
// function that makes a runtime comes from the library opened at run time.

#include <NvInferRuntime.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <new>

using namespace nvinfer1;

extern "C" {
typedef void (*ep_log)(void* user, int severity, char const* message);
typedef void (*ep_layer)(void* user, char const* name, float ms);
}

namespace {

class Logger final : public ILogger {
public:
    Logger(ep_log sink, void* user) : mSink(sink), mUser(user) {}
    void log(Severity severity, AsciiChar const* message) noexcept override {
        mSink(mUser, static_cast<int>(severity), message);
    }

private:
    ep_log mSink;
    void* mUser;
};

class Profiler final : public IProfiler {
public:
    Profiler(ep_layer sink, void* user) : mSink(sink), mUser(user) {}
    void reportLayerTime(char const* name, float ms) noexcept override { mSink(mUser, name, ms); }

private:
    ep_layer mSink;
    void* mUser;
};

int bytes_of(DataType type) {
    switch (type) {
    case DataType::kFLOAT:
    case DataType::kINT32: return 4;
    case DataType::kHALF: return 2;
    case DataType::kINT8:
    case DataType::kBOOL: return 1;
    default: return 8; // no type is larger; the smaller ones of later versions then get more than they need
    }
}

} // namespace

// Members are destroyed last to first: the context before the engine, the engine before the runtime.
struct ep_trt {
    std::unique_ptr<Logger> logger;
    std::unique_ptr<IRuntime> runtime;
    std::unique_ptr<ICudaEngine> engine;
    std::unique_ptr<IExecutionContext> context;
    std::unique_ptr<Profiler> profiler;
};

extern "C" {

// Major version of the headers this was compiled against.
int ep_trt_header_major() { return NV_TENSORRT_MAJOR; }

// Loads an engine. 0 when it works, else which step failed: 1 memory, 2 runtime, 3 engine, 4 context.
int ep_trt_open(void* create, void const* plan, size_t size, ep_log log, void* user, ep_trt** out) {
    auto make = reinterpret_cast<void* (*)(void*, int32_t)>(create);
    std::unique_ptr<ep_trt> trt(new (std::nothrow) ep_trt);
    if (!trt) return 1;
    trt->logger.reset(new (std::nothrow) Logger(log, user));
    if (!trt->logger) return 1;
    trt->runtime.reset(static_cast<IRuntime*>(make(trt->logger.get(), NV_TENSORRT_VERSION)));
    if (!trt->runtime) return 2;
    trt->engine.reset(trt->runtime->deserializeCudaEngine(plan, size));
    if (!trt->engine) return 3;
    trt->context.reset(trt->engine->createExecutionContext());
    if (!trt->context) return 4;
    *out = trt.release();
    return 0;
}

void ep_trt_close(ep_trt* trt) { delete trt; }

int ep_trt_tensors(ep_trt const* trt) { return trt->engine->getNbIOTensors(); }

char const* ep_trt_tensor_name(ep_trt const* trt, int index) { return trt->engine->getIOTensorName(index); }

int ep_trt_is_input(ep_trt const* trt, char const* name) {
    return trt->engine->getTensorIOMode(name) == TensorIOMode::kINPUT;
}

int ep_trt_element_bytes(ep_trt const* trt, char const* name) { return bytes_of(trt->engine->getTensorDataType(name)); }

// Extents as the context knows them, -1 where they are open; returns how many, at most 8.
int ep_trt_shape(ep_trt const* trt, char const* name, int64_t dims[8]) {
    Dims const shape = trt->context->getTensorShape(name);
    for (int i = 0; i < shape.nbDims && i < 8; ++i) dims[i] = shape.d[i];
    return shape.nbDims > 8 ? 8 : shape.nbDims;
}

int ep_trt_set_shape(ep_trt* trt, char const* name, int64_t const* dims, int count) {
    Dims shape{};
    if (count < 0 || count > Dims::MAX_DIMS) return 0;
    shape.nbDims = count;
    for (int i = 0; i < count; ++i) shape.d[i] = static_cast<std::remove_reference_t<decltype(shape.d[0])>>(dims[i]);
    return trt->context->setInputShape(name, shape);
}

int64_t ep_trt_output_bytes(ep_trt const* trt, char const* name) { return trt->context->getMaxOutputSize(name); }

int ep_trt_set_address(ep_trt* trt, char const* name, void* address) {
    return trt->context->setTensorAddress(name, address);
}

// The inspector's JSON into `sink`, as one call with the text. 0 when the engine tells nothing.
int ep_trt_inspect(ep_trt* trt, ep_log sink, void* user) {
    std::unique_ptr<IEngineInspector> inspector(trt->engine->createEngineInspector());
    if (!inspector) return 0;
    inspector->setExecutionContext(trt->context.get());
    char const* text = inspector->getEngineInformation(LayerInformationFormat::kJSON);
    if (!text) return 0;
    sink(user, 0, text);
    return 1;
}

// Turns profiling on. Layer times come from ep_trt_report, after the inference, so that enqueueing stays asynchronous.
int ep_trt_profile(ep_trt* trt, ep_layer sink, void* user) {
    trt->profiler.reset(new (std::nothrow) Profiler(sink, user));
    if (!trt->profiler) return 0;
    trt->context->setProfiler(trt->profiler.get());
    trt->context->setEnqueueEmitsProfile(false);
    return 1;
}

int ep_trt_enqueue(ep_trt* trt, void* stream) { return trt->context->enqueueV3(static_cast<cudaStream_t>(stream)); }

int ep_trt_report(ep_trt* trt) { return trt->context->reportToProfiler(); }

} // extern "C"
