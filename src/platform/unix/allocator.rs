//! The memory of the program.
//!
//! musl's allocator maps and unmaps nearly every page by itself, and each new page is a fault.
//! Small pieces come from dlmalloc, which keeps its pages. Large ones, as the trees are, stay with
//! the system's allocator: it gives them back as soon as they are freed, so that an idle daemon
//! holds no more than it needs.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::Mutex;

use dlmalloc::Dlmalloc;

use crate::threads::lock;

/// From how many bytes on a piece is large.
const LARGE: usize = 64 << 10;

/// The small pieces. A lock of std is taken in place, where that of dlmalloc's own global pool is
/// two calls.
static SMALL: Mutex<Dlmalloc> = Mutex::new(Dlmalloc::new());

/// Asks one of two allocators, by the size of the piece.
#[derive(Debug)]
pub struct Allocator;

/// The allocator of the program.
pub const ALLOCATOR: Allocator = Allocator;

// SAFETY: each piece goes back to the allocator that it came from, since both are chosen by the
// size in its layout; what the caller promises to this one, it promises to them.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as promised by the caller.
        unsafe {
            if is_large(layout.size()) {
                System.alloc(layout)
            } else {
                lock(&SMALL).malloc(layout.size(), layout.align())
            }
        }
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        // SAFETY: the piece is from this allocator, since its size is.
        unsafe {
            if is_large(layout.size()) {
                System.dealloc(piece, layout);
            } else {
                lock(&SMALL).free(piece, layout.size(), layout.align());
            }
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        match (is_large(layout.size()), is_large(size)) {
            // SAFETY: the piece is from this allocator, and so will the new one be.
            (true, true) => return unsafe { System.realloc(piece, layout, size) },
            // SAFETY: the same.
            (false, false) => {
                let (old, align) = (layout.size(), layout.align());
                return unsafe { lock(&SMALL).realloc(piece, old, align, size) };
            }
            _ => {}
        }
        // SAFETY: the caller promises that the new size is valid for this alignment; the pieces are
        // two, and both have the bytes that are copied.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                ptr::copy_nonoverlapping(piece, new, layout.size().min(size));
                self.dealloc(piece, layout);
            }
            new
        }
    }
}

fn is_large(size: usize) -> bool {
    size >= LARGE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_keeps_its_bytes_from_small_to_large_and_back() {
        for align in [1, 16, 4096] {
            let mut layout = Layout::from_size_align(10, align).unwrap();
            // SAFETY: the layouts are those of the pieces, and no byte beyond them is touched.
            unsafe {
                let mut piece = ALLOCATOR.alloc_zeroed(layout);
                assert!((0..10).all(|at| *piece.add(at) == 0));
                piece.add(9).write(7);
                for size in [LARGE - 1, LARGE, 10 * LARGE, LARGE + 1, LARGE - 1, 10] {
                    piece = ALLOCATOR.realloc(piece, layout, size);
                    layout = Layout::from_size_align(size, align).unwrap();
                    assert!(
                        !piece.is_null() && piece.addr().is_multiple_of(align),
                        "{size}"
                    );
                    assert_eq!(piece.add(9).read(), 7, "{size}");
                    piece.add(size - 1).write(7);
                }
                ALLOCATOR.dealloc(piece, layout);
            }
        }
    }
}
