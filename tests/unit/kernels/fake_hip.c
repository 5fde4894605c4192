/* Stands in for libamdhip64 where there is no AMD GPU: the calls that run_pack.py makes, on the host's memory, with
   "kernels" written in C. FAKE_HIP_FAULT spoils the one that is called rmsnorm. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fault(const char* name) {
    const char* wanted = getenv("FAKE_HIP_FAULT");
    return wanted && !strcmp(wanted, name);
}

int hipInit(unsigned flags) { return fault("no-device") ? 100 : fault("not-initialized") ? 3 : 0; }
int hipGetDeviceCount(int* count) { return *count = 1, 0; }
int hipSetDevice(int device) { return 0; }
int hipGetDevicePropertiesR0600(char* properties, int device) {
    memset(properties, 0, 1472);
    strcpy(properties, "AMD Instinct MI300X");
    strcpy(properties + 1160, "gfx942:sramecc+:xnack-");
    return 0;
}
const char* hipGetErrorString(int code) { return code == 209 ? "no kernel image is available" : "some error"; }

int hipModuleLoadData(void** module, const char* image) {
    return memcmp(image, "\177ELF", 4) ? 209 : (*module = (void*)image, 0);
}
int hipModuleGetFunction(void** function, void* module, const char* name) {
    return *function = strdup(name), 0;
}
int hipMalloc(void** pointer, size_t size) { return *pointer = malloc(size), 0; }
int hipFree(void* pointer) { return free(pointer), 0; }
int hipMemcpyHtoD(void* to, const void* from, size_t size) { return memcpy(to, from, size), 0; }
int hipMemcpyDtoH(void* to, const void* from, size_t size) { return memcpy(to, from, size), 0; }

static float widen(uint16_t bits) {
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    return memcpy(&value, &wide, 4), value;
}
static uint16_t narrow(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
}

static void vector_add(const char* arguments) {
    const float* const* in = (const float* const*)arguments;
    float* out = *(float* const*)(arguments + 16);
    int32_t count = *(const int32_t*)(arguments + 24);
    for (int i = 0; i < count; ++i) out[i] = in[0][i] + in[1][i];
}

static void rmsnorm(const char* arguments, unsigned rows) {
    uint16_t* x = *(uint16_t* const*)arguments;
    const uint16_t* weight = *(const uint16_t* const*)(arguments + 8);
    uint16_t* out = *(uint16_t* const*)(arguments + 16);
    int32_t columns = *(const int32_t*)(arguments + 24);
    float eps = *(const float*)(arguments + 28);
    if (fault("hang")) for (;;) pause();
    if (fault("crash")) abort();
    if (fault("unwritten")) --rows;
    for (unsigned row = 0; row < rows; ++row) {
        double sum = 0;
        for (int i = 0; i < columns; ++i) sum += pow(widen(x[row * columns + i]), 2);
        float scale = fault("wrong") ? 1.0 : 1.0 / sqrt(sum / columns + eps);
        for (int i = 0; i < columns; ++i)
            out[row * columns + i] = narrow(widen(x[row * columns + i]) * scale * widen(weight[i]));
    }
    if (fault("outside")) out[rows * columns] = 0;
    if (fault("overwrites")) x[0] = 0;
}

int hipModuleLaunchKernel(const char* name, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                          unsigned shared, void* stream, void** parameters, void** extra) {
    if (fault("launch") && !strcmp(name, "rmsnorm")) return 701;
    if (extra[0] != (void*)1 || extra[2] != (void*)2 || extra[4] != (void*)3 || *(size_t*)extra[3] != 28 + 4 * !strcmp(name, "rmsnorm"))
        return 1;
    if (!strcmp(name, "rmsnorm")) rmsnorm(extra[1], gx);
    else vector_add(extra[1]);
    return 0;
}
int hipDeviceSynchronize(void) { return 0; }
