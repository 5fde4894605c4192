// out = x / sqrt(mean(x^2) + eps) * weight, one row a block; bf16 in and out, float32 inside.
// bf16 travels as 16 bits, so that the file needs no header that moves between ROCm versions.
#include <hip/hip_runtime.h>

typedef unsigned short bf16;

__device__ inline float widen(bf16 bits) {
    return __builtin_bit_cast(float, (unsigned int)bits << 16);
}

__device__ inline bf16 narrow(float value) {  // to nearest, ties to even
    const unsigned int bits = __builtin_bit_cast(unsigned int, value);
    return (bf16)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

extern "C" __global__ void rmsnorm(const bf16* x, const bf16* weight, bf16* out, int columns, float eps) {
    __shared__ float partial[32];
    const bf16* row = x + (size_t)blockIdx.x * columns;

    float sum = 0.0f;
    for (int i = threadIdx.x; i < columns; i += blockDim.x) sum += widen(row[i]) * widen(row[i]);
    for (int lane = warpSize / 2; lane > 0; lane /= 2) sum += __shfl_xor(sum, lane);
    if (threadIdx.x % warpSize == 0) partial[threadIdx.x / warpSize] = sum;
    __syncthreads();

    sum = 0.0f;
    for (int wave = 0; wave < blockDim.x / warpSize; ++wave) sum += partial[wave];
    const float scale = 1.0f / sqrtf(sum / columns + eps);
    for (int i = threadIdx.x; i < columns; i += blockDim.x)
        out[(size_t)blockIdx.x * columns + i] = narrow(widen(row[i]) * scale * widen(weight[i]));
}
