//! The dimensions that windows are counted by: one row each.

use std::ops::{Index, IndexMut};

use serde::{Deserialize, Serialize};

/// The constant facts about a dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DimensionSpec {
    /// What its values are called in the API and on screens.
    pub values: &'static str,
    /// Name of its counts in a window's record.
    pub stats: &'static str,
}

/// Declares the enum, the list of its variants and their specs from one table.
macro_rules! dimensions_table {
    ($($(#[$doc:meta])* $dimension:ident { values: $values:literal, stats: $stats:literal })*) => {
        /// What windows are counted by.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Dimension {
            $($(#[$doc])* $dimension,)*
        }

        impl Dimension {
            /// All dimensions, in the order of the table.
            pub const ALL: [Self; [$(Self::$dimension),*].len()] = [$(Self::$dimension),*];

            /// The dimension's constant facts.
            pub const fn spec(self) -> DimensionSpec {
                match self {
                    $(Self::$dimension => DimensionSpec { values: $values, stats: $stats },)*
                }
            }

            /// The sum of what `of` gives. Written out: as a loop over `ALL`, a worker takes 0.3 %
            /// more instructions per event (benches/instructions.rs).
            #[inline]
            pub(super) fn sum(mut of: impl FnMut(Self) -> usize) -> usize {
                0 $(+ of(Self::$dimension))*
            }
        }

        impl<T> PerDimension<T> {
            /// The values that `of` gives. Written out for the same reason.
            #[inline]
            pub fn from_fn(mut of: impl FnMut(Dimension) -> T) -> Self {
                Self([$(of(Dimension::$dimension)),*])
            }
        }
    };
}

// NOTE: the order is that of the stored form and of a window's record.
dimensions_table! {
    /// By `locale`.
    Location { values: "locations", stats: "location_stats" }
    /// By `device_type`.
    Device { values: "devices", stats: "device_stats" }
    /// By `app_version`.
    Version { values: "versions", stats: "version_stats" }
}

/// A value for each dimension; stored as one after the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerDimension<T>([T; Dimension::ALL.len()]);

impl<T> PerDimension<T> {
    /// Each dimension with its value.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = (Dimension, &T)> {
        Dimension::ALL.into_iter().zip(&self.0)
    }

    /// Each dimension with its value, to be changed.
    #[inline]
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Dimension, &mut T)> {
        Dimension::ALL.into_iter().zip(&mut self.0)
    }
}

impl<T> From<[T; Dimension::ALL.len()]> for PerDimension<T> {
    /// The values in the order of the dimensions.
    #[inline]
    fn from(values: [T; Dimension::ALL.len()]) -> Self {
        Self(values)
    }
}

impl<T> Index<Dimension> for PerDimension<T> {
    type Output = T;

    #[inline]
    fn index(&self, dimension: Dimension) -> &T {
        &self.0[dimension as usize]
    }
}

impl<T> IndexMut<Dimension> for PerDimension<T> {
    #[inline]
    fn index_mut(&mut self, dimension: Dimension) -> &mut T {
        &mut self.0[dimension as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dimension_finds_its_own_value() {
        let mut all = PerDimension::from_fn(|dimension| dimension);
        assert!(all.iter().all(|(dimension, value)| dimension == *value));
        assert!(Dimension::ALL.into_iter().all(|dimension| all[dimension] == dimension));
        all[Dimension::Version] = Dimension::Location;
        assert_eq!(all, [Dimension::Location, Dimension::Device, Dimension::Location].into());
    }
}
