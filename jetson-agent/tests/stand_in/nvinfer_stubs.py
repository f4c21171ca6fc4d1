"""Writes C++ classes that implement every pure function of TensorRT's implementation classes by doing nothing, from the
headers of whatever version is at hand: `nvinfer_stubs.py INCLUDE_DIR > nvinfer_stubs.h`."""

import pathlib
import re
import sys

header = pathlib.Path(sys.argv[1], "NvInferImpl.h").read_text()
header = re.sub(r"//[^\n]*", "", header)
print("#pragma once\n#include <NvInferRuntime.h>\n#include <cstdlib>\nnamespace nvinfer1 { namespace stub {")
for name in ("VRuntime", "VCudaEngine", "VExecutionContext", "VEngineInspector"):
    body = re.search(r"class " + name + r" : public VRoot\s*\{(.*?)\n\};", header, re.S).group(1)
    print(f"class {name} : public apiv::{name} {{\npublic:")
    for function in re.findall(r"virtual\s+([^;{}]*?)\s*=\s*0\s*;", body, re.S):
        signature = " ".join(function.replace("TRTNOEXCEPT", "").split())
        result = re.match(r"(.*?)\b\w+\(", signature).group(1).strip()
        action = "" if result == "void" else "std::abort();" if result.endswith("&") else "return {};"
        # Parameters stay unnamed by use only.
        print(f"    {signature} override {{ {action} }}")
    print("};")
print("}}")
