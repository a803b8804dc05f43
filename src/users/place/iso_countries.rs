use super::table::Row;
pub(super) const ROWS: [Row; 1] = [Row::new(b"CA", 6000, -9600, 3000)];
