#include "pointwise.hpp"

extern "C" int hipkernels_gelu_f16(const __half* x, __half* out, int count) {
  gelu<<<(count + kThreads - 1) / kThreads, kThreads>>>(x, out, count);
  return hipGetLastError();
}
