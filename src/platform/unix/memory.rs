//! Copying and comparing bytes, in the place of musl's functions.
//!
//! Most copies of this program are of a few words: strings, and values that are passed on. musl has
//! one way for all sizes, which takes as long to begin as a few dozen instructions; here small
//! pieces are a few loads and then as many stores. musl compares byte by byte, this by words.

use std::arch::asm;
use std::arch::x86_64::__m128i;

/// The size of a word.
const WORD: usize = 8;
/// The size of the largest piece that is loaded as a whole before it is stored.
const SMALL: usize = 128;

/// C's `memcpy`.
///
/// # Safety
///
/// As C has it: `to` and `from` have `count` bytes.
#[cfg_attr(target_env = "musl", unsafe(no_mangle))]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: as the caller promises.
    unsafe {
        if count <= SMALL {
            copy_small(to, from, count);
        } else {
            copy_forward(to, from, count);
        }
    }
    to
}

/// C's `memmove`: the places may overlap.
///
/// # Safety
///
/// As C has it: `to` and `from` have `count` bytes.
#[cfg_attr(target_env = "musl", unsafe(no_mangle))]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    let is_behind = to.addr().wrapping_sub(from.addr()) < count;
    // SAFETY: as the caller promises; what would be overwritten before it is read is copied
    // backward.
    unsafe {
        if count <= SMALL {
            copy_small(to, from, count);
        } else if is_behind {
            copy_backward(to, from, count);
        } else {
            copy_forward(to, from, count);
        }
    }
    to
}

/// C's `memcmp`.
///
/// # Safety
///
/// As C has it: `a` and `b` have `count` bytes.
#[cfg_attr(target_env = "musl", unsafe(no_mangle))]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
    // SAFETY: every load is within the `count` bytes.
    unsafe {
        if count < WORD {
            return order(load_short(a, count), load_short(b, count));
        }
        let (mut at, last) = (0, count - WORD);
        loop {
            let (a, b) = (load::<u64>(a.add(at)), load::<u64>(b.add(at)));
            if a != b || at == last {
                return order(u64::from_be(a), u64::from_be(b));
            }
            // The last word begins in the one before.
            at = (at + WORD).min(last);
        }
    }
}

/// `bcmp`: zero when all bytes are equal.
///
/// # Safety
///
/// As [`memcmp`].
#[cfg_attr(target_env = "musl", unsafe(no_mangle))]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
    // SAFETY: as the caller promises.
    unsafe { memcmp(a, b, count) }
}

fn order(a: u64, b: u64) -> i32 {
    i32::from(a > b) - i32::from(a < b)
}

/// Fewer bytes than a word, as a number that is in their order: where it has a byte twice, the one
/// before decides.
///
/// # Safety
///
/// `from` has `count` bytes.
#[inline(always)]
unsafe fn load_short(from: *const u8, count: usize) -> u64 {
    // SAFETY: the pieces at both ends of the `count` bytes are within them.
    unsafe {
        let pair = |a: u32, b: u32| u64::from(u32::from_be(a)) << 32 | u64::from(u32::from_be(b));
        match count {
            0 => 0,
            1..4 => {
                let (first, middle) = (*from, *from.add(count / 2));
                let last = *from.add(count - 1);
                u64::from(first) << 16 | u64::from(middle) << 8 | u64::from(last)
            }
            _ => pair(load(from), load(from.add(count - size_of::<u32>()))),
        }
    }
}

/// # Safety
///
/// `from` has the bytes of a `T`, which may be any.
#[inline(always)]
unsafe fn load<T>(from: *const u8) -> T {
    // SAFETY: as the caller promises.
    unsafe { from.cast::<T>().read_unaligned() }
}

/// # Safety
///
/// `to` has the bytes of a `T`.
#[inline(always)]
unsafe fn store<T>(to: *mut u8, value: T) {
    // SAFETY: as the caller promises.
    unsafe { to.cast::<T>().write_unaligned(value) }
}

/// Copies at most [`SMALL`] bytes, all of which are loaded before any is stored.
///
/// # Safety
///
/// `to` and `from` have `count` bytes.
#[inline(always)]
unsafe fn copy_small(to: *mut u8, from: *const u8, count: usize) {
    // SAFETY: the pieces at both ends of the `count` bytes are within them, and cover them.
    unsafe {
        match count {
            0 => {}
            1 => *to = *from,
            2..4 => copy_ends::<u16>(to, from, count),
            4..8 => copy_ends::<u32>(to, from, count),
            8..=16 => copy_ends::<u64>(to, from, count),
            17..=32 => copy_ends::<__m128i>(to, from, count),
            33..=64 => copy_ends::<[__m128i; 2]>(to, from, count),
            _ => copy_ends::<[__m128i; 4]>(to, from, count),
        }
    }
}

/// Copies the first and the last `T`, which may overlap.
///
/// # Safety
///
/// `to` and `from` have `count` bytes, which are a `T` or more.
#[inline(always)]
unsafe fn copy_ends<T>(to: *mut u8, from: *const u8, count: usize) {
    let last = count - size_of::<T>();
    // SAFETY: as the caller promises.
    unsafe {
        let (head, tail) = (load::<T>(from), load::<T>(from.add(last)));
        store(to, head);
        store(to.add(last), tail);
    }
}

/// Copies more than a word, from the first byte on.
///
/// # Safety
///
/// `to` and `from` have `count` bytes, and no byte is overwritten before it is read.
unsafe fn copy_forward(to: *mut u8, from: *const u8, count: usize) {
    // SAFETY: as the caller promises; the direction flag is clear, as it is between all functions.
    unsafe {
        let tail = load::<u64>(from.add(count - WORD));
        asm!(
            "rep movsq",
            inout("rcx") count / WORD => _,
            inout("rdi") to => _,
            inout("rsi") from => _,
            options(nostack, preserves_flags)
        );
        store(to.add(count - WORD), tail);
    }
}

/// Copies more than a word, from the last byte on.
///
/// # Safety
///
/// As [`copy_forward`].
unsafe fn copy_backward(to: *mut u8, from: *const u8, count: usize) {
    // SAFETY: as the caller promises; the direction flag is clear again afterwards.
    unsafe {
        let head = load::<u64>(from);
        asm!(
            "std",
            "rep movsq",
            "cld",
            inout("rcx") count / WORD => _,
            inout("rdi") to.add(count - WORD) => _,
            inout("rsi") from.add(count - WORD) => _,
            options(nostack)
        );
        store(to, head);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sizes around each change of the way.
    fn sizes() -> impl Iterator<Item = usize> {
        (0..300).chain([511, 512, 513, 4095, 4096, 4097, 70_000])
    }

    fn pattern(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at * 7 + at / 251) as u8).collect()
    }

    #[test]
    fn copies_have_the_bytes_and_touch_no_other() {
        for size in sizes() {
            for (to_at, from_at) in [(0, 0), (1, 0), (3, 5), (8, 15)] {
                let from = pattern(from_at + size);
                let mut to = vec![0xAA; to_at + size + 32];
                // SAFETY: both have that many bytes from there on.
                let end = unsafe {
                    let to = to.as_mut_ptr().add(to_at);
                    memcpy(to, from.as_ptr().add(from_at), size) == to
                };
                assert!(end, "{size}");
                assert_eq!(to[to_at..to_at + size], from[from_at..], "{size}");
                let others = to[..to_at].iter().chain(&to[to_at + size..]);
                assert!(others.copied().all(|byte| byte == 0xAA), "{size}");
            }
        }
    }

    #[test]
    fn moves_within_a_buffer_are_right_in_both_directions() {
        for size in sizes() {
            for distance in [0, 1, 2, 7, 8, 9, 15, 16, 17, 64, 127, 128, 129, 1000] {
                for (to, from) in [(distance, 0), (0, distance)] {
                    let mut buffer = pattern(size + distance + 16);
                    let mut wanted = buffer.clone();
                    wanted.splice(to..to + size, buffer[from..from + size].to_vec());
                    let start = buffer.as_mut_ptr();
                    // SAFETY: the buffer has both places.
                    unsafe { memmove(start.add(to), start.add(from), size) };
                    assert_eq!(buffer, wanted, "{size} bytes from {from} to {to}");
                }
            }
        }
    }

    #[test]
    fn comparisons_are_those_of_unsigned_bytes() {
        for size in (0..70).chain([1000]) {
            let a = pattern(size + 1);
            let compare = |b: &[u8]| {
                // SAFETY: both have that many bytes.
                unsafe {
                    let is_equal = bcmp(a.as_ptr(), b.as_ptr(), size) == 0;
                    let order = memcmp(a.as_ptr(), b.as_ptr(), size);
                    assert_eq!(is_equal, order == 0);
                    order.cmp(&0)
                }
            };
            let mut b = a.clone();
            b[size] ^= 0x80;
            assert!(
                compare(&b).is_eq(),
                "{size}: what comes after does not count"
            );
            for at in 0..size {
                for change in [1, 0x80, 0xFF] {
                    let mut b = a.clone();
                    b[at] ^= change;
                    if at + 1 < size {
                        b[at + 1] ^= 0xFF;
                    }
                    assert_eq!(compare(&b), a[..size].cmp(&b[..size]), "{at} of {size}");
                }
            }
        }
    }
}
