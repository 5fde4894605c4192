#include "gemm.hpp"

extern "C" int hipkernels_gemm_f16_16(const __half* a, const __half* b, __half* c, int m, int n, int k) {
  constexpr int kTile = 16;
  const dim3 blocks((n + kTile - 1) / kTile, (m + kTile - 1) / kTile);
  gemm<__half, kTile><<<blocks, dim3(kTile, kTile)>>>(a, b, c, m, n, k);
  return hipGetLastError();
}
