// out = a b^T with a [m][k], b [n][k] in bf16 and out [m][n] in float32; one wave of 64 a tile of 16 x 16.
// Lane l holds row l%16 of its operand and DEPTH/4 consecutive k from DEPTH/4*(l/16); register r of the accumulator
// is row 4*(l/16) + r, column l%16 (CDNA 3 instruction set, matrix arithmetic, 16 x 16 shapes).
#include <hip/hip_runtime.h>

typedef float accumulator __attribute__((ext_vector_type(4)));

#if defined(__gfx950__)
#define DEPTH 32
typedef __bf16 operand __attribute__((ext_vector_type(8)));
#define MULTIPLY(a, b, sum) __builtin_amdgcn_mfma_f32_16x16x32_bf16(a, b, sum, 0, 0, 0)
#elif defined(__gfx942__) || defined(__gfx90a__)
#define DEPTH 16
typedef short operand __attribute__((ext_vector_type(4)));
#define MULTIPLY(a, b, sum) __builtin_amdgcn_mfma_f32_16x16x16bf16_1k(a, b, sum, 0, 0, 0)
#else
#error "no bf16 MFMA instruction is known for this architecture"
#endif

extern "C" __global__ void matmul_bf16(const unsigned short* a, const unsigned short* b, float* out, int n, int k) {
    const int lane = threadIdx.x % 16, quarter = threadIdx.x / 16;
    const int row = blockIdx.y * 16, column = blockIdx.x * 16;
    const unsigned short* from_a = a + (size_t)(row + lane) * k + quarter * (DEPTH / 4);
    const unsigned short* from_b = b + (size_t)(column + lane) * k + quarter * (DEPTH / 4);

    accumulator sum = {0};
    for (int at = 0; at < k; at += DEPTH)
        sum = MULTIPLY(*(const operand*)(from_a + at), *(const operand*)(from_b + at), sum);
    for (int r = 0; r < 4; ++r) out[(size_t)(row + 4 * quarter + r) * n + column + lane] = sum[r];
}
