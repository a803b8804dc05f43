//! Whose journal local files are of. Plain data.

use serde::{Deserialize, Serialize};

/// Whose journal a copy is of. A copy of another one is moved aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyOf {
    /// Cluster id, as the brokers report it.
    pub cluster_id: String,
    /// Consumer group.
    pub group_id: String,
    /// The journal topic.
    pub topic: String,
}
