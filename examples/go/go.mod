// SPDX-License-Identifier: BSD-2-Clause
module libpaligemma/paligemma

go 1.19
