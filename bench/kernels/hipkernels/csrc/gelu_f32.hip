#include "pointwise.hpp"

extern "C" int hipkernels_gelu_f32(const float* x, float* out, int count) {
  gelu<<<(count + kThreads - 1) / kThreads, kThreads>>>(x, out, count);
  return hipGetLastError();
}
