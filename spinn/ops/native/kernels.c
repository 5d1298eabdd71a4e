/* What the encoders compute outside matrix products, each in one pass over memory.

   Plain C with one entry, spinn_run; spinn/ops/native/__init__.py calls it. Where the compiler can,
   the loops are compiled for several instruction sets, and the best is chosen when the library is
   loaded. The plain version of each loop is in spinn/ops/loops.py. */

#include <math.h>
#include <stdint.h>
#include <string.h>

#define ALWAYS_INLINE inline __attribute__((always_inline))
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CLONES
#endif
#if defined(__clang__)
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep") /* no column depends on another one */
#endif

typedef struct {
    long count, parts, width, stride, first, threads;
    const int64_t *rows;
    void *table, *out, *memory, *gradient, *memory_gradient, *bias_gradient;
    const void *bias;
} Job;

typedef void (*Loop)(Job *, long, long);

static ALWAYS_INLINE float same(float x) { return x; }
static ALWAYS_INLINE double same_double(double x) { return x; }

static ALWAYS_INLINE float from_bf16(uint16_t x) {
    uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static ALWAYS_INLINE uint16_t to_bf16(float x) { /* to the nearest, ties to even */
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    return (uint16_t)(x != x ? 0x7fc0 : rounded);
}

/* The exponential, within 2 units in the last place: 2^n times the Taylor series around 0. */
static ALWAYS_INLINE float exp_float(float x) {
    const float shift = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    x = x > 88.0f ? 88.0f : x; /* comparisons that let NaN through */
    x = x < -87.0f ? -87.0f : x;
    float n = (x * 1.44269504f + shift) - shift;
    float r = (x - n * 0.693359375f) + n * 2.12194440e-4f; /* ln 2 in two parts */
    float value = 1.0f / 720;
    value = value * r + 1.0f / 120;
    value = value * r + 1.0f / 24;
    value = value * r + 1.0f / 6;
    value = value * r + 0.5f;
    value = value * r + 1.0f;
    value = value * r + 1.0f;
    uint32_t bits = (uint32_t)((int32_t)n + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return value * power;
}

/* Gate k in column j, from products and bias; all gates of a tree-LSTM and of an LSTM. */
#define GATE(activation, k, width) \
    FN(activation)(LOAD(product[(k) * (width) + j]) + bias[(k) * (width) + j])
#define TREE_GATES \
    S write = GATE(sigmoid, 0, H), keep_left = GATE(sigmoid, 1, H), \
      keep_right = GATE(sigmoid, 2, H), show = GATE(sigmoid, 3, H), candidate = GATE(tanh, 4, H)
#define LSTM_GATES \
    S write = GATE(sigmoid, 0, K), keep = GATE(sigmoid, 1, K), candidate = GATE(tanh, 2, K), \
      show = GATE(sigmoid, 3, K)

#define JOIN(name, types) name##_##types
#define S float
#define EXP exp_float

#define T uint16_t
#define FN(name) JOIN(name, bf16)
#define LOAD from_bf16
#define STORE to_bf16
#include "kernels.h"
#undef T
#undef FN
#undef LOAD
#undef STORE

#define T float
#define FN(name) JOIN(name, float)
#define LOAD same
#define STORE same
#include "kernels.h"
#undef T
#undef FN
#undef LOAD
#undef STORE
#undef S
#undef EXP

#define S double
#define EXP exp
#define T double
#define FN(name) JOIN(name, double)
#define LOAD same_double
#define STORE same_double
#include "kernels.h"

static const Loop *const LOOPS[] = {loops_bf16, loops_float, loops_double};

/* Run a loop, its columns divided among threads. */
void spinn_run(int types, int loop, Job *job) {
    const Loop run = LOOPS[types][loop];
    const long width = job->width, most = (width + 63) / 64;
    const long threads = job->threads < most ? job->threads : most;
    if (threads < 2 || job->count * width < 16384) {
        run(job, 0, width);
        return;
    }
    const long share = ((width + threads - 1) / threads + 15) / 16 * 16;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (long from = 0; from < width; from += share)
        run(job, from, from + share < width ? from + share : width);
}
