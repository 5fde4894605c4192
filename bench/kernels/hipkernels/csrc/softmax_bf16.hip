#include "softmax.hpp"

extern "C" int hipkernels_softmax_bf16(const __hip_bfloat16* x, __hip_bfloat16* out, int rows, int columns) {
  softmax<<<rows, kThreads>>>(x, out, columns);
  return hipGetLastError();
}
