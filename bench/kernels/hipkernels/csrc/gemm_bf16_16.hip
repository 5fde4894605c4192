#include "gemm.hpp"

extern "C" int hipkernels_gemm_bf16_16(const __hip_bfloat16* a, const __hip_bfloat16* b, __hip_bfloat16* c, int m, int n, int k) {
  constexpr int kTile = 16;
  const dim3 blocks((n + kTile - 1) / kTile, (m + kTile - 1) / kTile);
  gemm<__hip_bfloat16, kTile><<<blocks, dim3(kTile, kTile)>>>(a, b, c, m, n, k);
  return hipGetLastError();
}
