/* The loops of one pair of types, included by kernels.c once for each pair.

   S is the type of states, T that of the inputs and outputs of matrix products. FN(name) is the
   name of a function, LOAD and STORE convert between T and S, EXP is the exponential of S.

   A loop works on columns [from, to) of all rows, so that threads that share the columns never
   write to the same place, and sums do not depend on the number of threads. */

static ALWAYS_INLINE S FN(sigmoid)(S x) { return 1 / (1 + EXP(-x)); }
static ALWAYS_INLINE S FN(tanh)(S x) { return 1 - 2 / (1 + EXP(2 * x)); }

/* Copy rows of a table [*, width] side by side: row i of `out` is made of the `parts` rows
   rows[i * parts], ...; `stride` is the width of a row of `out`. */
CLONES static void FN(gather)(Job *job, long from, long to) {
    const S *table = job->table;
    T *out = job->out;
    for (long i = 0; i < job->count; i++)
        for (long part = 0; part < job->parts; part++) {
            const S *source = table + job->rows[i * job->parts + part] * job->width;
            T *target = out + i * job->stride + part * job->width;
            INDEPENDENT for (long j = from; j < to; j++) target[j] = STORE(source[j]);
        }
}

/* The reverse: add the parts of each row of `out` to the rows of the table. */
CLONES static void FN(scatter)(Job *job, long from, long to) {
    S *table = job->table;
    const T *out = job->out;
    for (long i = 0; i < job->count; i++)
        for (long part = 0; part < job->parts; part++) {
            S *target = table + job->rows[i * job->parts + part] * job->width;
            const T *source = out + i * job->stride + part * job->width;
            INDEPENDENT for (long j = from; j < to; j++) target[j] += LOAD(source[j]);
        }
}

/* The tree-LSTM of n pairs: from products [n, 5H] and the memory cells of the children, rows[2n]
   of `memory`, to the states of the rows from `first` on. */
CLONES static void FN(compose)(Job *job, long from, long to) {
    const long H = job->width;
    const S *bias = job->bias;
    S *memories = job->memory, *table = job->table;
    for (long i = 0; i < job->count; i++) {
        const T *product = (const T *)job->out + i * job->stride;
        const S *left = memories + job->rows[2 * i] * H;
        const S *right = memories + job->rows[2 * i + 1] * H;
        S *memory = memories + (job->first + i) * H;
        S *hidden = table + (job->first + i) * H;
        INDEPENDENT for (long j = from; j < to; j++) {
            TREE_GATES;
            S cell = write * candidate + keep_left * left[j] + keep_right * right[j];
            memory[j] = cell;
            hidden[j] = show * FN(tanh)(cell);
        }
    }
}

/* Its backward pass: from the gradients of the states to those of the products (`gradient`
   [n, 5H]), of the children's memory cells (added to) and of the bias (added to). */
CLONES static void FN(compose_backward)(Job *job, long from, long to) {
    const long H = job->width;
    const S *bias = job->bias;
    const S *memories = job->memory, *hidden_gradients = job->table;
    S *memory_gradients = job->memory_gradient;
    S *bias_gradient = job->bias_gradient;
    for (long i = 0; i < job->count; i++) {
        const T *product = (const T *)job->out + i * job->stride;
        T *gradient = (T *)job->gradient + i * job->stride;
        const long left_row = job->rows[2 * i], right_row = job->rows[2 * i + 1];
        const S *left = memories + left_row * H, *right = memories + right_row * H;
        const S *memory = memories + (job->first + i) * H;
        const S *above = hidden_gradients + (job->first + i) * H;
        const S *cell_above = memory_gradients + (job->first + i) * H;
        S *to_left = memory_gradients + left_row * H, *to_right = memory_gradients + right_row * H;
        INDEPENDENT for (long j = from; j < to; j++) {
            TREE_GATES;
            S squashed = FN(tanh)(memory[j]);
            S cell = cell_above[j] + above[j] * show * (1 - squashed * squashed);
            S by_write = cell * candidate * write * (1 - write);
            S by_left = cell * left[j] * keep_left * (1 - keep_left);
            S by_right = cell * right[j] * keep_right * (1 - keep_right);
            S by_show = above[j] * squashed * show * (1 - show);
            S by_candidate = cell * write * (1 - candidate * candidate);
            gradient[j] = STORE(by_write);
            gradient[H + j] = STORE(by_left);
            gradient[2 * H + j] = STORE(by_right);
            gradient[3 * H + j] = STORE(by_show);
            gradient[4 * H + j] = STORE(by_candidate);
            bias_gradient[j] += by_write;
            bias_gradient[H + j] += by_left;
            bias_gradient[2 * H + j] += by_right;
            bias_gradient[3 * H + j] += by_show;
            bias_gradient[4 * H + j] += by_candidate;
            to_left[j] += cell * keep_left;
            to_right[j] += cell * keep_right;
        }
    }
}

/* A step of an LSTM for n rows: from products [n, 4K], in torch's order of the gates, and the memory
   cells before it, `memory` [n, K], to new states [n, K]. */
CLONES static void FN(step)(Job *job, long from, long to) {
    const long K = job->width;
    const S *bias = job->bias;
    for (long i = 0; i < job->count; i++) {
        const T *product = (const T *)job->out + i * job->stride;
        const S *before = (const S *)job->memory + i * K;
        S *hidden = (S *)job->table + i * K, *after = (S *)job->gradient + i * K;
        INDEPENDENT for (long j = from; j < to; j++) {
            LSTM_GATES;
            after[j] = write * candidate + keep * before[j];
            hidden[j] = show * FN(tanh)(after[j]);
        }
    }
}

/* Its backward pass: from the gradients of the new states, `table` and `memory_gradient` [n, K], to
   those of the products (`gradient` [n, 4K]), of the memory cells before it (in the place of
   `memory_gradient`) and of the bias (added to). */
CLONES static void FN(step_backward)(Job *job, long from, long to) {
    const long K = job->width;
    const S *bias = job->bias;
    S *bias_gradient = job->bias_gradient;
    for (long i = 0; i < job->count; i++) {
        const T *product = (const T *)job->out + i * job->stride;
        T *gradient = (T *)job->gradient + i * job->stride;
        const S *before = (const S *)job->memory + i * K, *above = (const S *)job->table + i * K;
        S *memory_gradient = (S *)job->memory_gradient + i * K;
        INDEPENDENT for (long j = from; j < to; j++) {
            LSTM_GATES;
            S squashed = FN(tanh)(write * candidate + keep * before[j]);
            S cell = memory_gradient[j] + above[j] * show * (1 - squashed * squashed);
            S by_write = cell * candidate * write * (1 - write);
            S by_keep = cell * before[j] * keep * (1 - keep);
            S by_candidate = cell * write * (1 - candidate * candidate);
            S by_show = above[j] * squashed * show * (1 - show);
            gradient[j] = STORE(by_write);
            gradient[K + j] = STORE(by_keep);
            gradient[2 * K + j] = STORE(by_candidate);
            gradient[3 * K + j] = STORE(by_show);
            bias_gradient[j] += by_write;
            bias_gradient[K + j] += by_keep;
            bias_gradient[2 * K + j] += by_candidate;
            bias_gradient[3 * K + j] += by_show;
            memory_gradient[j] = cell * keep;
        }
    }
}

static const Loop FN(loops)[] = {
    FN(gather), FN(scatter), FN(compose), FN(compose_backward), FN(step), FN(step_backward),
};
