//! The IDs of the specification's tables (edge cases M, R, S and O): which ones must have a case here, and which ones are
//! known but not built yet. An ID in neither list is a typing error.

/// What the product does today: each of these has a case.
pub(crate) const REQUIRED: &[&str] = &[
    "M01", "M02", "M03", "M04", "M05", "M06", "M07", "M08", "M09", "M10", "M11", "M12", "M13", "M14", "M15",
    "M16", "M17", "M18", "M19", "M20", "M21", "M22", "M23", //
    "R01", "R02", "R03", "R04", "R05", "R06", "R07", "R08", "R09", "R10", "R11", "R12", "R13", "R14", "R15",
    "R16", "R17", "R18", "R19", "R20", "R21", "R22", "R23", "R24", "R25", "R26", "R27", "R28", "R29", "R30",
    "R31", "R32", "R33", "R34", "R35", "R36", "R37", "R38", "R39", "R40", "R41", "R42", "R43", "R44", "R45",
    "R46", "R47", "R48", "R49", "R50", "R51", "R52", "R53", "R54", "R55", "R56", "R57", "R58", "R59", "R60",
    "R61", "R62", "R63", "R64", "R65", "R66", "R67", "R68", "R69", "R71", "R72", "R73", "R74", "R75", //
    "S01", "S02", "S03", "S04", "S05", "S06", "S07", "S08", "S09", "S10", "S11", "S12", "S13", "S14", "S15",
    "S16", "S17", "S18", "S19", "S20", "S21", "S22", "S23", "S24", "S25", "S26", "S27", "S28", "S29", "S30",
    "S31", "S32", "S33", "S34", "S35", "S36", "S37", "S38", "S39", "S40", "S41", "S42", "S43", "S44", "S45",
    "S46", "S47", "S48", "S49", "S50", "S51", "S52", "S53", "S54", "S55", "S56", "S57", "S58", "S59", "S60",
    "S61", "S62", "S63", "S64", "S65", "S66", "S67", "S68", //
    "O01", "O02", "O03", "O04", "O05", "O06", "O07", "O08", "O09", "O10", "O11", "O12",
];

/// Known, and not built yet: a case for one of these may exist, none must.
pub(crate) const LATER: &[&str] = &["M24", "R70"];

/// Rows that no golden case proves, and what does, or why nothing can.
pub(crate) const ELSEWHERE: &[(&str, &str)] = &[
    ("M24", "`tests/cache`"),
    ("R70", "`tests/wire/bad_input.rs`: 25 MB and 100 MB would be large files"),
    ("S42", "does not apply: there is no `previous_response_id` over HTTP"),
];

/// What was recorded and exported: it proves no row.
const EXPORTED: &str = "X";

/// Is this an ID at all?
pub(crate) fn is_known(id: &str) -> bool {
    id == EXPORTED || REQUIRED.contains(&id) || LATER.contains(&id)
}
