//! Newtypes for numbers that must not be mixed.
//!
//! Used by every thread; plain data. An `Offset` is always the next offset to read, never the
//! last one read; event times are milliseconds since the Unix epoch; an epoch number is used once.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! newtype {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

newtype!(
    /// A partition of the input topic, or of an output topic where the context says so.
    PartitionId(i32)
);
newtype!(
    /// The next offset to read of a partition.
    Offset(i64)
);
newtype!(
    /// Index of a worker thread, from 0.
    WorkerId(usize)
);
newtype!(
    /// Number of an epoch: the unit of commit. Grows by at least one and never repeats.
    Epoch(u64)
);
newtype!(
    /// Counts rollbacks and reassignments; what carries an older generation is dropped unseen.
    Generation(u64)
);
newtype!(
    /// Event time, milliseconds since the Unix epoch.
    EventTimeMs(i64)
);
newtype!(
    /// First millisecond of a window, a multiple of the window's size since the Unix epoch.
    WindowStart(i64)
);

impl Epoch {
    /// The epoch after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl Generation {
    /// The generation after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}
