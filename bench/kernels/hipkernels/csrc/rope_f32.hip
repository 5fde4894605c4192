#include "pointwise.hpp"

extern "C" int hipkernels_rope_f32(float* x, const int* positions, int tokens, int heads, int half, float base) {
  rope<<<tokens * heads, kThreads>>>(x, positions, heads, half, base);
  return hipGetLastError();
}
