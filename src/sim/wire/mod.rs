//! AWS's wire protocols on one side, the value tree on the other.
