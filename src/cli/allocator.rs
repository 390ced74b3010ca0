//! What the allocator of the system does with memory that is given back.

/// Bytes from which on an allocation has pages of its own, which go back to the system with it: under a memory limit, and
/// without one. The system clears pages whenever it hands them out, which takes a third of the time of a scan of texts.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const OWN_PAGES: (libc::c_int, libc::c_int) = (1 << 20, 64 << 20);

/// Free bytes at the end of a heap that are kept.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT: (libc::c_int, libc::c_int) = (16 << 20, 256 << 20);

/// Bytes of a memory limit for which there is one heap. Each heap keeps free memory for itself; threads share heaps where there are fewer.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const HEAP: usize = 256 << 20;

/// Under a limit, gives freed memory back. By itself the GNU allocator puts all allocations up to the largest one that was ever
/// freed (32 MiB at most) on heaps, which end up full of holes: the process is then larger than what it holds by a third. Without
/// a limit, keeps it for what comes next. No other thread may run yet.
pub fn set_up(memory_limit: Option<usize>) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        let choose = |(limited, unlimited)| if memory_limit.is_some() { limited } else { unlimited };
        // SAFETY: no other thread allocates while the parameters change.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, choose(OWN_PAGES));
            libc::mallopt(libc::M_TRIM_THRESHOLD, choose(KEPT));
            if let Some(heaps) = memory_limit.and_then(|limit| libc::c_int::try_from((limit / HEAP).max(1)).ok()) {
                libc::mallopt(libc::M_ARENA_MAX, heaps);
            }
        }
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    let _ = memory_limit;
}
