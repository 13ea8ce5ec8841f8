// SPDX-License-Identifier: BSD-2-Clause
//! The C interface of libpaligemma as it is, for the crate `paligemma`, which has a safe one.
//!
//! Names, ownership, errors and threads are those of the headers in `include/paligemma/`. The bindings are checked in
//! and made by `generate-bindings.sh`; a test holds them to the installed headers. Each options struct implements
//! [`Default`] with the values of its `_INIT` macro: its `struct_size` must be that of the struct as it is here, which
//! the `_init` function of a newer library does not know.

#[allow(non_camel_case_types, clippy::all)]
mod bindings;
mod defaults;

pub use bindings::*;
