//! All layers in the right order.
