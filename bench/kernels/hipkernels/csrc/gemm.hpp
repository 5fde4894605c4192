#pragma once

#include "common.hpp"

// c = a b, each block one square tile of it, whose operands pass through shared memory.
template <typename T, int Tile>
__global__ void gemm(const T* a, const T* b, T* c, int m, int n, int k) {
  __shared__ float left[Tile][Tile + 1], right[Tile][Tile + 1];
  const int row = blockIdx.y * Tile + threadIdx.y, column = blockIdx.x * Tile + threadIdx.x;
  float sum = 0.0f;
  for (int at = 0; at < k; at += Tile) {
    const int inner_column = at + threadIdx.x, inner_row = at + threadIdx.y;
    left[threadIdx.y][threadIdx.x] = row < m && inner_column < k ? widen(a[row * k + inner_column]) : 0.0f;
    right[threadIdx.y][threadIdx.x] = inner_row < k && column < n ? widen(b[inner_row * n + column]) : 0.0f;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < Tile; i++) sum += left[threadIdx.y][i] * right[i][threadIdx.x];
    __syncthreads();
  }
  if (row < m && column < n) c[row * n + column] = narrow<T>(sum);
}
