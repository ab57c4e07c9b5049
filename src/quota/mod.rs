//! Quotas: a plan's allowance.
