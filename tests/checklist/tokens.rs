//! What is demanded of bearer tokens.

use super::{Clause, clause};

pub(super) const RFC_6750: &[Clause] = &[
    clause(
        "2.1",
        "the header is accepted, its scheme in any case",
        &["section_2_1_rfc6750_the_header_is_accepted_in_any_case_of_the_scheme"],
    ),
    clause(
        "2",
        "more than one method is 400 `invalid_request`",
        &["section_2_rfc6750_more_than_one_method_is_invalid_request"],
    ),
    clause(
        "3.1",
        "what is repeated or malformed is 400 `invalid_request`",
        &[
            "section_3_1_rfc6750_a_repeated_credential_is_invalid_request",
            "section_3_1_rfc6750_a_malformed_request_is_invalid_request",
        ],
    ),
    clause(
        "3.1",
        "expired, revoked, malformed, badly signed, for others: 401 `invalid_token`",
        &[
            "section_3_1_rfc6750_a_bad_token_is_invalid_token",
            "what_is_revoked_is_refused_with_the_next_request_rfc6750_3_1",
            "the_wrong_shape_is_an_invalid_token_rfc6750_3_1",
            "aud_must_name_us_rfc8725_3_9",
        ],
    ),
    clause(
        "3.1",
        "too few privileges: 403 `insufficient_scope`, with the `scope` that is needed",
        &["section_3_1_rfc6750_a_missing_scope_is_403_and_the_challenge_names_what_is_needed"],
    ),
    clause(
        "3.1",
        "no credential, or an unknown scheme: 401 without an error code",
        &["section_3_1_rfc6750_no_credential_and_unknown_schemes_get_no_error_code"],
    ),
    clause(
        "3",
        "every 401 and 403 has its challenges, one line for each scheme",
        &[
            "every_401_and_400_has_its_lines_and_an_outage_has_none_rfc6750_3",
            "section_3_1_rfc6750_a_missing_scope_is_403_and_the_challenge_names_what_is_needed",
        ],
    ),
    clause(
        "3",
        "no attribute comes twice, and descriptions keep to their characters and repeat nothing",
        &[
            "section_3_rfc6750_no_attribute_comes_twice_and_nothing_sent_is_repeated",
            "descriptions_keep_to_the_charset_rfc6750_3",
        ],
    ),
    clause("3", "scopes keep to their characters", &["numbers_and_characters_are_bounded_rfc6750_3"]),
    clause(
        "2.2, 2.3",
        "a token in a form or a URL is not read",
        &[
            "section_2_2_rfc6750_a_token_in_the_form_is_never_read",
            "section_2_3_rfc6750_and_fapi2_a_token_in_the_url_is_never_read",
        ],
    ),
    clause("5.3", "refusals are not stored", &["section_5_3_rfc6750_a_refusal_is_not_stored"]),
];

pub(super) const RFC_7515: &[Clause] = &[
    clause(
        "4.1.11",
        "`crit` is refused: unknown, empty, or naming what is registered",
        &[
            "any_crit_is_refused_rfc7515_4_1_11",
            "every_crit_is_refused_rfc7515_4_1_11",
            "crit_is_refused_although_the_signature_is_good_rfc7515_4_1_11",
        ],
    ),
    clause(
        "2",
        "base64url is strict: alphabet, no padding, no bits left over",
        &["base64url_is_strict_rfc7515_2", "base64url_is_strict_in_every_part_rfc7515_2"],
    ),
    clause("7.1", "there are exactly three parts", &["exactly_three_parts_rfc7515_7_1"]),
    clause(
        "4",
        "no member of the header is there twice",
        &["duplicate_members_are_refused_rfc7515_4", "duplicate_header_members_are_refused_rfc7515_4"],
    ),
    clause("4.1", "members have their types", &["members_have_their_types_rfc7515_4_1"]),
    clause(
        "A",
        "the signatures of the appendix verify",
        &["signatures_of_the_rfc_verify_rfc7515_a", "more_signatures_of_the_rfcs_verify_rfc8037_a_4_rfc7515_a"],
    ),
];

pub(super) const RFC_7519: &[Clause] = &[
    clause("7519 7.2", "a token has three parts, no more, no less", &["three_parts_no_more_no_less_rfc7519_7_2"]),
    clause(
        "7519 4",
        "no claim is there twice, however it is written",
        &[
            "duplicates_are_refused_at_every_depth_rfc7519_4",
            "duplicate_claims_are_refused_rfc7519_4",
            "no_second_member_hides_behind_escapes_or_depth_rfc7519_4",
            "a_second_iss_hides_nothing_rfc7519_4",
        ],
    ),
    clause(
        "7519 4.1.4",
        "a token is over at `exp` and the leeway, strictly",
        &["exp_is_over_at_exp_plus_leeway_rfc7519_4_1_4"],
    ),
    clause("7519 4.1.5", "not before `nbf`", &["nbf_and_iat_in_the_future_rfc7519_4_1_5"]),
    clause(
        "7519 2",
        "dates are numbers, which may have fractions",
        &[
            "dates_are_numbers_and_may_have_fractions_rfc7519_2",
            "every_spelling_of_a_date_is_read_or_refused_rfc7519_2",
        ],
    ),
    clause(
        "7519 4.1",
        "`sub` and `aud` have their types",
        &["sub_is_a_string_rfc7519_4_1_2", "aud_of_another_type_is_refused_rfc7519_4_1_3"],
    ),
    clause("7517 4", "keys for other uses are not used", &["keys_for_other_uses_are_not_used_rfc7517_4_2"]),
    clause(
        "7517 5",
        "a key that nobody understands does not break its set",
        &["foreign_keys_do_not_break_the_set_rfc7517_5"],
    ),
    clause(
        "8037, 9864",
        "Ed25519 has both of its names",
        &["ed25519_by_its_rfc9864_name", "more_signatures_of_the_rfcs_verify_rfc8037_a_4_rfc7515_a"],
    ),
];

pub(super) const RFC_8725: &[Clause] = &[
    clause(
        "3.1",
        "the algorithm comes from the configuration: one key, one algorithm",
        &[
            "the_key_decides_the_algorithm_rfc8725_3_1",
            "no_algorithm_passes_for_another_rfc8725_3_1",
            "alg_must_suit_the_key_rfc8725_3_1",
            "a_jwk_without_alg_is_used_with_one_algorithm_rfc8725_3_1",
        ],
    ),
    clause(
        "3.2",
        "`none` is no algorithm, however it is spelled",
        &["no_spelling_of_none_is_accepted_rfc8725_3_2", "unsecured_tokens_are_refused_rfc8725_3_2"],
    ),
    clause(
        "3.4",
        "points lie on their curve, which is that of the label",
        &["points_that_are_no_keys_rfc8725_3_4", "curves_and_points_are_checked_rfc8725_3_4"],
    ),
    clause(
        "3.5, 7518 3.2",
        "secrets are as long as the hash",
        &["secrets_are_as_long_as_the_hash_rfc8725_3_5", "short_secrets_are_refused_rfc7518_3_2"],
    ),
    clause(
        "7518 3.3",
        "RSA keys have 2048 bits, and an exponent that is one",
        &["rsa_keys_have_a_minimum_size_rfc7518_3_3", "rsa_keys_with_odd_exponents_rfc8017_3_1"],
    ),
    clause(
        "3.8",
        "a key verifies for its issuer alone",
        &["iss_must_be_the_issuer_itself_rfc8725_3_8", "each_token_is_shown_to_its_issuer_only_rfc8725_3_8"],
    ),
    clause("3.9", "the audience is checked", &["aud_must_name_us_rfc8725_3_9"]),
    clause(
        "3.10",
        "`kid` is a name; `jku`, `x5u`, `jwk` and `x5c` are not followed",
        &[
            "kids_are_names_and_nothing_else_rfc8725_3_10",
            "keys_that_the_sender_brings_are_ignored_rfc8725_3_10",
            "the_sender_brings_no_key_rfc8725_3_10",
            "senders_do_not_choose_the_key_rfc8725_3_10",
        ],
    ),
    clause(
        "3.11",
        "types are told apart",
        &[
            "types_of_other_jwts_are_refused_rfc8725_3_11_rfc9068_4",
            "types_are_told_apart_rfc8725_3_11_rfc9068_4",
            "encrypted_and_nested_tokens_are_no_access_tokens_rfc8725_3_11",
        ],
    ),
    clause(
        "3.12",
        "ID tokens, logout tokens and proofs are no access tokens, nor the other way round",
        &[
            "other_kinds_of_jwt_are_no_access_tokens_rfc8725_3_12",
            "other_tokens_are_told_by_how_their_issuers_mark_them_rfc8725_3_12",
            "a_logout_token_is_no_access_token_rfc8725_3_12",
        ],
    ),
];

pub(super) const RFC_9068: &[Clause] = &[
    clause(
        "4",
        "the type is `at+jwt`, in any case, and nothing else",
        &[
            "only_at_jwt_is_a_type_rfc9068_4",
            "types_of_other_jwts_are_refused_rfc8725_3_11_rfc9068_4",
            "types_are_told_apart_rfc8725_3_11_rfc9068_4",
        ],
    ),
    clause(
        "4",
        "issuer, audience, signature and time are checked",
        &["issuer_audience_signature_and_time_are_checked_rfc9068_4", "required_claims_are_required_rfc9068_4"],
    ),
    clause("2.2", "every required claim is there", &["every_required_claim_is_required_rfc9068_2_2"]),
    clause(
        "2.2.3.1",
        "roles, groups and entitlements are read",
        &["roles_groups_and_entitlements_are_read_where_they_are_named_rfc9068_2_2_3_1"],
    ),
    clause(
        "4",
        "a lenient profile still takes no ID token that says it is one (use an audience that is no client's id)",
        &[
            "other_kinds_of_jwt_are_no_access_tokens_rfc8725_3_12",
            "types_of_other_jwts_are_refused_rfc8725_3_11_rfc9068_4",
        ],
    ),
    clause(
        "all",
        "the tokens of a real provider are taken",
        &["the_provider_is_discovered_and_its_tokens_follow_rfc9068"],
    ),
];

pub(super) const FAPI_2: &[Clause] = &[
    clause("5.3", "only bound tokens are taken", &["only_bound_tokens_are_accepted_fapi2_5_3_3"]),
    clause("5.3", "only in the header", &["section_2_3_rfc6750_and_fapi2_a_token_in_the_url_is_never_read"]),
    clause(
        "5.4",
        "`PS256`, `ES256` and `EdDSA`, and no other algorithm",
        &["only_three_algorithms_are_accepted_fapi2_5_4_1"],
    ),
    clause(
        "5.3",
        "dates up to 10 s in the future are taken, and none beyond 60 s",
        &["dates_slightly_in_the_future_are_accepted_fapi2_5_3_2_1"],
    ),
];
