//! `cargo test --manifest-path tests/loom/Cargo.toml`

use portcullis_loom::{models, models_of_swapped_loads};

#[test]
fn a_charge_does_not_land_on_the_next_key() {
    models::a_charge_does_not_land_on_the_next_key();
}

#[test]
fn nor_among_three() {
    models::nor_among_three();
}

#[test]
fn nobody_is_refused_by_the_state_of_another_key() {
    models::nobody_is_refused_by_the_state_of_another_key();
}

#[test]
fn of_two_first_requests_one_inserts() {
    models::of_two_first_requests_one_inserts();
}

#[test]
fn a_key_that_comes_back_has_one_slot() {
    models::a_key_that_comes_back_has_one_slot();
}

#[test]
fn and_so_do_two_requests_of_it() {
    models::and_so_do_two_requests_of_it();
}

/// Else the models above would show nothing.
#[test]
fn with_the_fingerprint_loaded_before_the_state_a_charge_lands_on_the_next_key() {
    let model = std::panic::catch_unwind(models_of_swapped_loads::a_charge_does_not_land_on_the_next_key);
    let message = model.expect_err("the model does not notice").downcast::<String>().expect("a message");
    assert!(message.contains("left: [(2, 31457481)]"), "{message}");
}
