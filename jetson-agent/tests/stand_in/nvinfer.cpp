// Stands in for TensorRT's library in tests: an engine of three layers that sleeps and reports fixed times. Compiled against
// the headers that the agent was compiled against. It shows that our plumbing works, nothing about TensorRT.
//
// STAND_IN_TENSORRT: `no-runtime` gives a null runtime, `broken-runtime` a pointer to nothing, as the real library was seen
// to do without CUDA; `version` claims another version; `failing` fails in the fifth inference.

#include "nvinfer_stubs.h"

#include <unistd.h>

#include <cstring>
#include <map>
#include <string>

using namespace nvinfer1;

namespace {

bool mode(char const* name) {
    char const* set = std::getenv("STAND_IN_TENSORRT");
    return set && std::strcmp(set, name) == 0;
}

char const* const LAYERS[] = {"conv1 + relu1", "pool1", "conv1 + relu1"};
float const TIMES[] = {0.3F, 0.1F, 0.2F};
char const* const INFO = R"({"Layers": [
{"Name": "conv1 + relu1", "LayerType": "CaskConvolution", "Inputs": [{"Name": "x", "Dimensions": [1,3,8,8], "Format/Datatype": "Row major linear FP16 format"}],
 "Outputs": [{"Name": "a", "Dimensions": [1,4,8,8], "Format/Datatype": "Row major linear FP16 format"}], "ParameterType": "Convolution", "Kernel": [3,3]},
{"Name": "pool1", "LayerType": "CaskPooling", "Inputs": [], "Outputs": [], "ParameterType": "Pooling"},
{"Name": "conv1 + relu1", "LayerType": "CaskConvolution", "Inputs": [], "Outputs": [], "ParameterType": "Convolution"}],
"Bindings": ["x", "y"]})";

Dims dims(std::initializer_list<int> extents) {
    Dims d{};
    for (int e : extents) d.d[d.nbDims++] = e;
    return d;
}

class InspectorImpl : public stub::VEngineInspector {
public:
    char const* getEngineInformation(LayerInformationFormat) const noexcept override { return INFO; }
};
class Inspector : public IEngineInspector {
public:
    Inspector() { mImpl = &mReal; }

private:
    InspectorImpl mReal;
};

class ContextImpl : public stub::VExecutionContext {
public:
    void setProfiler(IProfiler* profiler) noexcept override { mProfiler = profiler; }
    void setEnqueueEmitsProfile(bool emits) noexcept override { mEmits = emits; }
    bool setInputShape(char const* name, Dims const& d) noexcept override {
        if (std::strcmp(name, "x") != 0 || d.nbDims != 4) return false;
        mShape = d;
        return true;
    }
    Dims getTensorShape(char const* name) const noexcept override {
        return std::strcmp(name, "x") == 0 ? mShape : dims({1, 10});
    }
    int64_t getMaxOutputSize(char const*) const noexcept override { return 40; }
    bool setTensorAddress(char const* name, void* data) noexcept override {
        mAddresses[name] = data;
        return data != nullptr;
    }
    bool enqueueV3(cudaStream_t stream) noexcept override {
        if (!stream || mAddresses.size() != 2 || (mode("failing") && mDone == 5)) return false;
        ++mDone;
        mReported = false;
        usleep(700);
        if (mProfiler && mEmits) report();
        return true;
    }
    bool reportToProfiler() const noexcept override {
        // A second report of the same inference, or one without a profiler, is a fault of the caller.
        if (!mProfiler || mEmits || mReported || mDone == 0) return false;
        report();
        return true;
    }

private:
    void report() const {
        mReported = true;
        for (int i = 0; i < 3; ++i) mProfiler->reportLayerTime(LAYERS[i], TIMES[i]);
    }
    IProfiler* mProfiler{};
    bool mEmits{true};
    mutable bool mReported{};
    int mDone{};
    Dims mShape = dims({-1, 3, 8, 8});
    std::map<std::string, void*> mAddresses;
};
class Context : public IExecutionContext {
public:
    Context() { mImpl = &mReal; }

private:
    ContextImpl mReal;
};

class EngineImpl : public stub::VCudaEngine {
public:
    IExecutionContext* createExecutionContext(ExecutionContextAllocationStrategy) noexcept override { return new Context; }
    IEngineInspector* createEngineInspector() const noexcept override { return new Inspector; }
    int32_t getNbIOTensors() const noexcept override { return 2; }
    char const* getIOTensorName(int32_t index) const noexcept override { return index == 0 ? "x" : "y"; }
    TensorIOMode getTensorIOMode(char const* name) const noexcept override {
        return std::strcmp(name, "x") == 0 ? TensorIOMode::kINPUT : TensorIOMode::kOUTPUT;
    }
    DataType getTensorDataType(char const*) const noexcept override { return DataType::kFLOAT; }
};
class Engine : public ICudaEngine {
public:
    Engine() { mImpl = &mReal; }

private:
    EngineImpl mReal;
};

class RuntimeImpl : public stub::VRuntime {
public:
    explicit RuntimeImpl(ILogger* logger) : mLogger(logger) {}
    ICudaEngine* deserializeCudaEngine(void const* blob, std::size_t size) noexcept override {
        if (size < 8 || std::memcmp(blob, "STAND-IN", 8) != 0) {
            mLogger->log(ILogger::Severity::kERROR, "Serialization assertion plan->header.magicTag == rt::kPLAN_MAGIC_TAG failed.");
            return nullptr;
        }
        return new Engine;
    }

private:
    ILogger* mLogger;
};
class Runtime : public IRuntime {
public:
    explicit Runtime(ILogger* logger) : mReal(logger) { mImpl = &mReal; }

private:
    RuntimeImpl mReal;
};

} // namespace

extern "C" int32_t getInferLibVersion() noexcept {
    return mode("version") ? 7100 : NV_TENSORRT_MAJOR >= 10 ? NV_TENSORRT_MAJOR * 10000 + 300 : NV_TENSORRT_MAJOR * 1000 + 500;
}

extern "C" void* createInferRuntime_INTERNAL(void* logger, int32_t) noexcept {
    if (mode("no-runtime")) return nullptr;
    if (mode("broken-runtime")) return reinterpret_cast<void*>(0x228);
    return static_cast<IRuntime*>(new Runtime(static_cast<ILogger*>(logger)));
}
