#include "gemm.hpp"

extern "C" int hipkernels_gemm_f32_32(const float* a, const float* b, float* c, int m, int n, int k) {
  constexpr int kTile = 32;
  const dim3 blocks((n + kTile - 1) / kTile, (m + kTile - 1) / kTile);
  gemm<float, kTile><<<blocks, dim3(kTile, kTile)>>>(a, b, c, m, n, k);
  return hipGetLastError();
}
