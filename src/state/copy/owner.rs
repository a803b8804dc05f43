//! Whose copy a table holds, for who does not know it beforehand. Nothing is written.

use super::{
    CopyFault,
    pieces::{OF, StoredOf},
    record_copy::{Table, fault},
};
use crate::journal::CopyOf;
use crate::state::codec;

/// Whose copy it is; `None` of one that does not say.
///
/// # Errors
/// When the table cannot be read.
pub(in crate::state) fn owner(table: &mut impl Table) -> Result<Option<CopyOf>, CopyFault> {
    let mut found = None;
    table.read(&mut |key, value| {
        if key == OF {
            let of: StoredOf = codec::decode(key, value).map_err(fault)?;
            let StoredOf { cluster_id, group_id, topic, .. } = of;
            found = Some(CopyOf { cluster_id, group_id, topic });
        }
        Ok(())
    })?;
    Ok(found)
}
