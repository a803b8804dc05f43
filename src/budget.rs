//! The byte budget: bounds the memory of everything between admission and delivery.
//!
//! Only the source waits for room. It takes the bytes of payload and worst-case output when it
//! admits a record; what a batch takes beyond that is added when it is sent. A permit gives its
//! bytes back when it is dropped, on any thread. Window state needs no permit: its size is
//! reported, and leaves that much less for batches, down to a floor that keeps the stream moving.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use crate::limits;

/// The shared counts of bytes in use.
#[derive(Debug)]
pub struct Budget {
    pool_bytes: usize,
    batches: AtomicUsize,
    deltas: AtomicUsize,
    ledger: AtomicUsize,
    excess: AtomicUsize,
}

impl Budget {
    /// A budget of `pool_bytes` for batches, deltas and the ledger together.
    pub fn new(pool_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            pool_bytes,
            batches: AtomicUsize::new(0),
            deltas: AtomicUsize::new(0),
            ledger: AtomicUsize::new(0),
            excess: AtomicUsize::new(0),
        })
    }

    /// Whether the source may admit more. Admission itself never fails, so the pool can be exceeded
    /// by one record and what its batch reserves in advance.
    pub fn has_room(&self) -> bool {
        let (deltas, ledger) = (self.deltas.load(Relaxed), self.ledger.load(Relaxed));
        let state = deltas + ledger + self.excess.load(Relaxed);
        let room = self.pool_bytes.saturating_sub(state).max(limits::BUDGET_FLOOR_BYTES);
        self.batches.load(Relaxed) < room
    }

    /// Whether deltas and ledger together hold so much that the open epoch should end early.
    /// A cut frees deltas only, so a large ledger with small deltas is no reason for one.
    pub fn wants_early_cut(&self) -> bool {
        let (deltas, ledger) = (self.deltas.load(Relaxed), self.ledger.load(Relaxed));
        let mark = self.pool_bytes / 100 * limits::EARLY_CUT_PERCENT;
        let worthwhile = limits::EARLY_CUT_MIN_DELTA_BYTES.min(self.pool_bytes / 16);
        deltas + ledger > mark && deltas > worthwhile
    }

    /// An empty permit on this budget.
    pub fn permit(self: &Arc<Self>) -> Permit {
        Permit { budget: Arc::clone(self), bytes: 0 }
    }

    /// Reports that deltas grew by `bytes`.
    pub fn delta_grew(&self, bytes: usize) {
        self.deltas.fetch_add(bytes, Relaxed);
    }

    /// Reports that deltas of `bytes` were merged or dropped.
    pub fn delta_freed(&self, bytes: usize) {
        self.deltas.fetch_sub(bytes, Relaxed);
    }

    /// Sets what the ledger holds.
    pub fn set_ledger(&self, bytes: usize) {
        self.ledger.store(bytes, Relaxed);
    }

    /// Reports that a worker holds so much beyond the memory that was set aside for it.
    pub fn excess_changed(&self, before: usize, now: usize) {
        if now > before {
            self.excess.fetch_add(now - before, Relaxed);
        } else {
            self.excess.fetch_sub(before - now, Relaxed);
        }
    }

    /// Bytes in batches, deltas, ledger and excess.
    pub fn used_bytes(&self) -> usize {
        let (deltas, ledger) = (self.deltas.load(Relaxed), self.ledger.load(Relaxed));
        self.batches.load(Relaxed) + deltas + ledger + self.excess.load(Relaxed)
    }
}

/// Bytes taken from the budget; dropping it gives them back.
#[derive(Debug)]
pub struct Permit {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Permit {
    /// Takes `bytes` more.
    pub fn grow(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.budget.batches.fetch_add(bytes, Relaxed);
    }

    /// Grows to `bytes` if it has less: the memory turned out larger than was admitted.
    pub fn cover(&mut self, bytes: usize) {
        self.grow(bytes.saturating_sub(self.bytes));
    }

    /// Moves up to `bytes` into `other`, which belongs to the same budget.
    pub fn hand_over(&mut self, other: &mut Permit, bytes: usize) {
        let moved = bytes.min(self.bytes);
        self.bytes -= moved;
        other.bytes += moved;
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.batches.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn a_dropped_permit_gives_back_exactly_what_it_held() {
        let budget = Budget::new(64 * MIB);
        let mut input = budget.permit();
        input.grow(1000);
        let mut output = budget.permit();
        input.hand_over(&mut output, 300);
        input.hand_over(&mut output, 10_000);
        assert_eq!((input.bytes(), output.bytes()), (0, 1000));
        drop(input);
        assert_eq!(budget.used_bytes(), 1000);
        output.cover(900);
        output.cover(1500);
        assert_eq!((output.bytes(), budget.used_bytes()), (1500, 1500));
        drop(output);
        assert_eq!(budget.used_bytes(), 0);
    }

    #[test]
    fn a_huge_ledger_never_closes_the_door() {
        let budget = Budget::new(64 * MIB);
        budget.set_ledger(900 * MIB);
        assert!(budget.has_room());
        let mut permit = budget.permit();
        permit.grow(limits::BUDGET_FLOOR_BYTES);
        assert!(!budget.has_room());
    }

    #[test]
    fn an_epoch_is_cut_early_past_the_mark_only_while_it_holds_deltas() {
        let budget = Budget::new(100 * MIB);
        budget.set_ledger(79 * MIB);
        assert!(!budget.wants_early_cut());
        budget.delta_grew(6 * MIB);
        assert!(budget.wants_early_cut());
        budget.delta_freed(6 * MIB);
        assert!(!budget.wants_early_cut());
    }
}
