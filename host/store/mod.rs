//! Where state is kept: the trait, and SQLite behind it.
