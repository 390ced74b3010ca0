//! What the machine has and what this process took of it.

use bytesize::ByteSize;
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

/// Bytes of memory that this process may have: the machine's, or its container's where that is less.
pub fn total() -> u64 {
    let ram = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(ram);
    let machine = system.total_memory();
    system.cgroup_limits().map_or(machine, |limits| limits.total_memory.min(machine))
}

/// Forgets the peak so far, so that [`peak`] speaks of what comes next. Where the system cannot, the peak stays that of
/// the whole process.
pub fn reset_peak() {
    #[cfg(target_os = "linux")]
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The most memory that was resident since [`reset_peak`], in bytes; `None` where the system does not say.
pub fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Bytes as a person reads them: `1.5 GiB`.
pub fn human(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_allocation_moves_the_peak() {
        let Some(_) = peak() else {
            eprintln!("skipped: this system does not tell the peak");
            return;
        };
        reset_peak();
        let before = peak().unwrap();
        let block = vec![1u8; 64 << 20];
        std::hint::black_box(&block);
        assert!(peak().unwrap() >= before + (48 << 20));
        assert!(total() > 64 << 20);
    }
}
