/* SPDX-License-Identifier: BSD-2-Clause */
#include <paligemma/paligemma.h>
#include <stdio.h>

int main(void)
{
    pali_model *model = NULL;
    pali_error *error = NULL;
    pali_status status = pali_model_load(&model, "/nonexistent", NULL, &error);
    printf("libpaligemma %s: %s\n", pali_version(), pali_error_message(error));
    pali_error_free(error);
    return status == PALI_ERROR_IO && model == NULL ? 0 : 1;
}
