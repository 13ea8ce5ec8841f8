// SPDX-License-Identifier: BSD-2-Clause
//! What every handle is: a pointer that it owns and ends.

/// Defines a struct that owns an object of the library, and the two ways between struct and pointer.
macro_rules! handle {
    ($(#[$doc:meta])* $name:ident, $raw:ident, $free:ident) => {
        $(#[$doc])*
        pub struct $name {
            raw: std::ptr::NonNull<paligemma_sys::$raw>,
        }

        impl $name {
            /// Takes over `raw`, which the library has handed to its caller.
            #[allow(dead_code)]
            pub(crate) fn from_raw(raw: std::ptr::NonNull<paligemma_sys::$raw>) -> Self {
                Self { raw }
            }

            #[allow(dead_code)]
            pub(crate) fn as_ptr(&self) -> *mut paligemma_sys::$raw {
                self.raw.as_ptr()
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: the handle owns the object, and nothing borrows from it any more.
                unsafe { paligemma_sys::$free(self.raw.as_ptr()) }
            }
        }
    };
}

/// For what the headers let any number of threads read. Where an object can change, it does so through `&mut` alone.
macro_rules! shared_between_threads {
    ($($name:ident),*) => { $(
        // SAFETY: the header says that the object is immutable, or that it may be shared while nobody changes it, which
        // `&mut` excludes. It may be freed by any thread.
        unsafe impl Send for $name {}
        // SAFETY: as above.
        unsafe impl Sync for $name {}
    )* };
}
