/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What it costs to enter and leave a parallel region of OpenMP: `region_cost [THREADS]`. An operation of a decode step is
 * such a region, or none where it has too few values to wake a thread for.
 */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

enum { REGIONS = 20000, RUNS = 5 };

static double best_of(int n_threads)
{
    double best = 1e9;
    volatile int sink = 0;
    for (int run = 0; run < RUNS; run++) {
        double begin = omp_get_wtime();
        for (int i = 0; i < REGIONS; i++) {
#pragma omp parallel for schedule(static) num_threads(n_threads)
            for (int j = 0; j < 64; j++) {
                if (j == i + 64)
                    sink = j;
            }
        }
        double taken = (omp_get_wtime() - begin) / REGIONS;
        best = taken < best ? taken : best;
    }
    (void)sink;
    return best;
}

int main(int argc, char **argv)
{
    int n_threads = argc > 1 ? atoi(argv[1]) : omp_get_max_threads();
    printf("a region of %d threads: %.2f us, of one: %.2f us\n", n_threads, 1e6 * best_of(n_threads), 1e6 * best_of(1));
    return 0;
}
