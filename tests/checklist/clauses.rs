//! The list. A demand is one sentence; its tests have the document's tag in their names.

use super::{Clause, Standard};

const fn clause(section: &'static str, demand: &'static str, tests: &'static [&'static str]) -> Clause {
    Clause { section, demand, tests }
}

const fn standard(title: &'static str, tags: &'static [&'static str], clauses: &'static [Clause]) -> Standard {
    Standard { title, tags, clauses, beside: "" }
}

const fn with(beside: &'static str, standard: Standard) -> Standard {
    Standard { beside, ..standard }
}

pub(super) const STANDARDS: &[Standard] = &[
    with(
        "The lists of challenges in other schemes follow the same rules.",
        standard("RFC 6750: bearer tokens", &["rfc6750"], RFC_6750),
    ),
    standard("RFC 7515: signed objects", &["rfc7515"], RFC_7515),
    standard("RFC 7519 and 7517: tokens and keys", &["rfc7519", "rfc7517", "rfc8037", "rfc9864"], RFC_7519),
    standard("RFC 8725 and 7518: best practice for tokens", &["rfc8725", "rfc7518", "rfc8017"], RFC_8725),
    standard("RFC 9068: access tokens", &["rfc9068"], RFC_9068),
    with(
        "JWT responses (RFC 9701) are not read.",
        standard("RFC 7662: introspection", &["rfc7662", "rfc6749"], RFC_7662),
    ),
    standard("RFC 8705 and 9440: client certificates", &["rfc8705", "rfc9440", "rfc5280", "rfc7800"], RFC_8705),
    standard("RFC 9449: proof of possession", &["rfc9449", "rfc7638", "rfc3986"], RFC_9449),
    standard("RFC 9396: authorization details", &["rfc9396"], RFC_9396),
    standard("RFC 9470: step-up", &["rfc9470"], RFC_9470),
    standard("RFC 9728: metadata of the resource", &["rfc9728"], RFC_9728),
    standard("RFC 8414 and OpenID Connect Discovery: metadata of the issuer", &["rfc8414"], RFC_8414),
    standard("OpenID Connect Back-Channel Logout", &["oidc_back_channel"], LOGOUT),
    with(
        "PKCE, redirect URIs, refresh tokens and the `iss` of the authorization response (RFC 9207) concern \
         clients and authorization servers.",
        standard("RFC 9700: best practice for OAuth", &["rfc9700"], RFC_9700),
    ),
    with("That tokens cannot be guessed is the issuer's part.", standard("FAPI 2.0", &["fapi2"], FAPI_2)),
    standard("RFC 9421 and 9530: signed messages", &["rfc9421", "rfc9530"], RFC_9421),
    standard("AWS Signature Version 4", &["sigv4"], SIGV4),
];

const RFC_6750: &[Clause] = &[
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

const RFC_7515: &[Clause] = &[
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

const RFC_7519: &[Clause] = &[
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

const RFC_8725: &[Clause] = &[
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

const RFC_9068: &[Clause] = &[
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
        "a lenient profile still takes no ID token",
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

const RFC_7662: &[Clause] = &[
    clause(
        "2.1",
        "the question is a form, from a service that shows who it is",
        &["the_endpoint_is_asked_as_the_standard_has_it_rfc7662_2_1", "the_client_shows_who_it_is_rfc6749_2_3_1"],
    ),
    clause(
        "2.2",
        "`active` is the boolean `true`",
        &["active_is_the_boolean_true_rfc7662_2_2", "an_active_token_lets_its_caller_in_rfc7662_2_2"],
    ),
    clause(
        "4",
        "issuer, audience, dates, scopes and bindings are still ours to check",
        &["the_claims_are_ours_to_check_rfc7662_4", "what_may_be_left_out_may_be_left_out_rfc7662_2_2"],
    ),
    clause("4", "no answer outlives its token", &["an_answer_never_outlives_the_token_rfc7662_4"]),
    clause("2.3", "a server that is down is 503, never 401", &["what_is_no_answer_is_503_and_never_401_rfc7662_2_3"]),
];

const RFC_8705: &[Clause] = &[
    clause(
        "3",
        "a token that is bound to a certificate needs that certificate: another, or none, is 401 `invalid_token`",
        &[
            "a_token_of_a_certificate_needs_that_certificate_rfc8705_3",
            "a_bound_token_alone_is_refused_rfc8705",
            "a_token_bound_to_a_certificate_needs_it_rfc8705",
        ],
    ),
    clause("2.2", "a certificate is known by its digest", &["a_fingerprint_needs_no_feature_rfc8705_2_2"]),
    clause(
        "9440 4",
        "`Client-Cert` is believed from trusted proxies only",
        &["the_header_is_believed_from_trusted_proxies_only_rfc9440_4"],
    ),
    clause(
        "9440 2.1",
        "it is one structured field, and nothing else",
        &[
            "only_a_byte_sequence_is_a_certificate_rfc9440_2_1",
            "a_malformed_header_of_a_trusted_proxy_is_400_rfc9440_2_1",
            "the_example_of_the_standard_is_read_rfc9440_a",
        ],
    ),
    clause(
        "5280 4.1.2.5",
        "dates are checked with each request",
        &["dates_are_checked_at_each_request_rfc5280_4_1_2_5"],
    ),
    clause(
        "7800 3",
        "a binding that nobody knows is one that nobody proves",
        &[
            "a_layer_without_proofs_refuses_bound_tokens_rfc7800_3",
            "an_unknown_binding_is_refused_rfc7800_3",
            "a_binding_that_nobody_knows_is_one_that_nobody_proves_rfc7800_3_1",
        ],
    ),
];

const RFC_9449: &[Clause] = &[
    clause("4.3 (1)", "there is one `DPoP` header", &["there_is_exactly_one_header_rfc9449_4_3_1"]),
    clause("4.3 (2)", "it is one well-formed JWT", &["it_is_one_well_formed_jwt_rfc9449_4_3_2"]),
    clause(
        "4.3 (3)",
        "`jti`, `htm`, `htu`, `iat` and `ath` are there",
        &["the_claims_are_there_and_of_their_types_rfc9449_4_3_3"],
    ),
    clause("4.3 (4)", "the type is `dpop+jwt`", &["the_type_is_dpop_jwt_rfc9449_4_3_4"]),
    clause(
        "4.3 (5)",
        "the algorithm is asymmetric and accepted",
        &["the_algorithm_is_asymmetric_and_accepted_rfc9449_4_3_5", "each_asymmetric_algorithm_works_rfc9449_4_3_5"],
    ),
    clause("4.3 (6)", "the signature is that of the `jwk`", &["the_signature_is_that_of_the_jwk_rfc9449_4_3_6"]),
    clause("4.3 (7)", "the `jwk` is no private key", &["the_jwk_is_not_private_rfc9449_4_3_7"]),
    clause("4.3 (8)", "`htm` is the method", &["the_method_is_that_of_the_request_rfc9449_4_3_8"]),
    clause(
        "4.3 (9)",
        "`htu` is the public URL without query and fragment, in normal form",
        &[
            "the_target_is_the_url_without_query_and_fragment_rfc9449_4_3_9",
            "the_target_is_the_public_url_rfc9449_4_3_9",
            "any_host_is_the_host_that_was_asked_for_rfc9449_4_3_9",
            "plain_http_is_what_a_trusted_proxy_calls_so_rfc9449_4_3_9",
            "equal_urls_become_equal_rfc3986_6_2",
        ],
    ),
    clause(
        "4.3 (10)",
        "the nonce is ours, if we gave one",
        &["the_nonce_is_ours_rfc9449_4_3_10", "a_nonce_is_known_for_two_periods_rfc9449_8"],
    ),
    clause(
        "4.3 (11)",
        "the date lies in the window",
        &["the_date_lies_in_the_window_rfc9449_4_3_11", "with_a_nonce_the_clients_clock_plays_no_part_rfc9449_11_1"],
    ),
    clause(
        "4.3 (12)",
        "`ath` is the token's digest, and the key the one of `cnf.jkt`",
        &[
            "the_token_is_the_one_that_was_hashed_rfc9449_4_3_12",
            "the_key_is_the_one_that_the_token_is_bound_to_rfc9449_4_3_12",
            "the_p256_key_of_the_standard_rfc9449_6_1",
            "the_rsa_key_of_the_standard_rfc7638_3_1",
            "the_ed25519_key_of_the_standard_rfc8037_a_3",
        ],
    ),
    clause(
        "11.1",
        "a proof counts once: its key and its `jti` together",
        &[
            "a_proof_works_once_rfc9449_11_1",
            "a_jti_belongs_to_its_key_rfc9449_11_1",
            "what_does_not_hold_is_not_remembered_rfc9449_11_1",
        ],
    ),
    clause(
        "7.2",
        "a bound token is no bearer token",
        &["a_bound_token_is_no_bearer_token_rfc9449_7_2", "bound_tokens_are_not_taken_from_a_bearer_rfc9449_7_2"],
    ),
    clause(
        "7.1",
        "an unbound token is not for the scheme `DPoP`",
        &["an_unbound_token_is_not_for_the_dpop_scheme_rfc9449_7_1"],
    ),
    clause(
        "7.1",
        "the challenge names the error and the algorithms",
        &["there_is_exactly_one_header_rfc9449_4_3_1", "section_7_1_rfc9449_a_bound_token_is_challenged_as_dpop"],
    ),
    clause(
        "8, 9",
        "a nonce comes with refusals, and with a success when the next one is due; neither is stored",
        &[
            "a_client_is_told_the_nonce_and_then_the_next_one_rfc9449_9",
            "every_refused_proof_is_told_the_nonce_rfc9449_8",
            "a_handlers_cache_control_gives_way_rfc9449_8_2",
        ],
    ),
    clause(
        "all",
        "the example, and a real provider with another implementation's proofs, are taken",
        &[
            "the_example_of_the_standard_holds_rfc9449_7_1",
            "a_token_bound_to_a_key_needs_its_proof_rfc9449",
            "a_nonce_is_handed_out_and_then_demanded_rfc9449_9",
        ],
    ),
];

const RFC_9396: &[Clause] = &[
    clause(
        "2",
        "the claim is an array of objects that each have a `type`; a malformed one grants nothing",
        &["section_2_rfc9396_a_malformed_claim_grants_nothing_at_all", "authorization_details_arrive_rfc9396"],
    ),
    clause(
        "2",
        "another type, and a member that nobody speaks of, grant nothing",
        &[
            "section_2_rfc9396_the_details_of_the_document_grant_what_they_say",
            "a_member_that_nobody_speaks_of_grants_nothing_rfc9396_2",
        ],
    ),
    clause(
        "2.2",
        "type, actions, locations, datatypes and identifier are compared, within one detail",
        &["what_is_asked_for_must_stand_in_one_detail_and_be_a_list_rfc9396_2_2"],
    ),
    clause(
        "2",
        "an amount is a limit, in its currency, for its account",
        &["an_amount_is_a_limit_in_one_currency_for_one_account_rfc9396_2"],
    ),
];

const RFC_9470: &[Clause] = &[
    clause(
        "3",
        "too weak an authentication is 401 `insufficient_user_authentication`, with `acr_values` and `max_age`",
        &["section_3_rfc9470_the_challenge_names_acr_values_and_max_age"],
    ),
    clause("3", "one `acr` of those that are named will do", &["one_acr_of_several_and_every_amr_rfc9470_3"]),
    clause(
        "3",
        "an authentication is too old after `max_age`",
        &["an_authentication_grows_old_to_the_second_rfc9470_3"],
    ),
];

const RFC_9728: &[Clause] = &[
    clause(
        "3.1",
        "the well-known name stands between host and path, and `resource` is the identifier itself",
        &["the_well_known_name_stands_between_host_and_path_rfc9728_3_1"],
    ),
    clause(
        "2, 5.1",
        "the document has its members, and every challenge names it",
        &["the_document_has_the_members_of_rfc9728_2_and_every_401_names_it_rfc9728_5_1"],
    ),
];

const RFC_8414: &[Clause] = &[
    clause(
        "3.1",
        "the well-known name is inserted, or, as OpenID Connect has it, appended",
        &["where_the_metadata_lies_rfc8414_3_1", "keys_are_found_through_the_metadata_rfc8414_3"],
    ),
    clause(
        "3.3",
        "`issuer` is the configured one, byte for byte",
        &["metadata_of_another_issuer_is_refused_rfc8414_3_3"],
    ),
    clause("2", "the issuer is an HTTPS URL", &["an_issuer_without_a_safe_url_cannot_be_discovered_rfc8414_2"]),
    clause("3", "redirects are not followed", &["redirects_and_failures_are_not_followed_rfc8414_3"]),
];

const LOGOUT: &[Clause] = &[
    clause("2.5", "the token is one field of a form", &["bodies_that_are_no_form_are_refused_oidc_back_channel_2_5"]),
    clause("2.4", "it names a session or a subject", &["session_or_subject_is_named_oidc_back_channel_2_4"]),
    clause(
        "2.6",
        "`iss`, `aud`, `iat`, `exp`, `jti` and `events` are there and right, and there is no `nonce`",
        &[
            "the_steps_of_validation_oidc_back_channel_2_6",
            "what_is_no_logout_token_logs_nobody_out_oidc_back_channel_2_6",
        ],
    ),
    clause("2.6", "a `jti` counts once", &["a_logout_token_counts_once_oidc_back_channel_2_6"]),
    clause(
        "2.8",
        "the answer is 200 or 400, not to be stored; what was not kept is not confirmed",
        &[
            "what_is_no_logout_token_logs_nobody_out_oidc_back_channel_2_6",
            "a_logout_that_is_not_kept_is_not_confirmed_oidc_back_channel_2_8",
        ],
    ),
];

const RFC_9700: &[Clause] = &[
    clause(
        "2.2.1",
        "tokens can be demanded that are bound to their holder",
        &["where_only_bound_tokens_count_others_are_refused_rfc9700_2_2_1"],
    ),
    clause(
        "2.3",
        "a token is for one audience, and lives a quarter of an hour",
        &["tokens_live_a_quarter_of_an_hour_rfc9700_2_2_2", "aud_must_name_us_rfc8725_3_9"],
    ),
    clause(
        "4.3.2",
        "tokens stand neither in URLs nor in logs",
        &["every_line_is_marked_rfc9700", "section_2_3_rfc6750_and_fapi2_a_token_in_the_url_is_never_read"],
    ),
];

const FAPI_2: &[Clause] = &[
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

const RFC_9421: &[Clause] = &[
    clause(
        "3.2.1",
        "method and whole target are covered, the digest of a body, and what the service names",
        &["what_must_be_covered_is_rfc9421_3_2_1"],
    ),
    clause("3.2.1", "as a proof, the credential is covered", &["the_credential_must_be_signed_along_rfc9421_3_2_1"]),
    clause(
        "2.3, 3.2.1",
        "`created` is there and in the window, and `expires` has not passed",
        &["times_have_their_borders_rfc9421_2_3", "times_are_checked_rfc9421_3_2_1"],
    ),
    clause(
        "3.2",
        "the key decides the algorithm, and `alg` may only say the same",
        &["every_algorithm_verifies_and_the_key_decides_which_rfc9421_3_2", "a_public_key_is_no_secret_rfc9421_3_2"],
    ),
    clause("3.2.1", "a nonce counts once", &["a_nonce_counts_once_rfc9421_3_2_1"]),
    clause(
        "3.2",
        "of several signatures one is meant, by label or `tag`",
        &["of_several_signatures_one_is_meant_rfc9421_3_2"],
    ),
    clause(
        "3.2",
        "whatever is changed after signing is seen, in the time of any other comparison",
        &[
            "whatever_is_changed_after_signing_is_refused_rfc9421_3_2",
            "every_change_of_a_byte_is_seen_rfc9421_b_2",
            "signatures_are_compared_in_constant_time_sigv4_rfc9421",
        ],
    ),
    clause(
        "9530 2",
        "the digest is that of the real body, each of those that are known",
        &["the_examples_of_rfc9530_hold", "one_right_digest_does_not_make_up_for_a_wrong_one_rfc9530_2"],
    ),
    clause(
        "2.5, 4",
        "nothing is there twice; what is malformed is 400",
        &["what_stands_there_twice_is_refused_rfc9421_2_5", "what_is_malformed_is_400_and_is_not_repeated_rfc9421_4"],
    ),
    clause(
        "2, B.2",
        "components are derived as the standard has it, and its examples verify",
        &[
            "derived_components_rfc9421",
            "query_parameters_rfc9421",
            "fields_rfc9421",
            "the_example_of_rfc9421_holds",
            "every_base_of_a_request_is_that_of_the_appendix_rfc9421_b_2",
        ],
    ),
];

const SIGV4: &[Clause] = &[
    clause(
        "canonical request",
        "it is computed anew from what came: AWS's own vectors verify, and changes are seen",
        &[
            "every_vector_of_aws_verifies_in_the_header_sigv4",
            "every_vector_of_aws_verifies_in_the_query_sigv4",
            "whatever_is_changed_after_signing_is_refused_sigv4",
            "paths_of_services_and_of_s3_sigv4",
            "queries_are_sorted_by_what_is_written_not_by_what_was_sent_sigv4",
            "we_accept_what_aws_sigv4_signs",
        ],
    ),
    clause(
        "signed headers",
        "`host` and every `x-amz-*` field are signed",
        &["a_field_that_is_not_signed_is_refused_if_it_must_be_sigv4"],
    ),
    clause(
        "date, scope",
        "`x-amz-date` is within 5 min; day, region, service and terminator are right",
        &["the_scope_is_that_of_the_service_and_of_the_day_sigv4"],
    ),
    clause(
        "payload",
        "the digest is that of the real body; an unsigned one is taken only on request",
        &["whatever_is_changed_after_signing_is_refused_sigv4", "an_unsigned_body_is_accepted_only_on_request_sigv4"],
    ),
    clause(
        "signing key",
        "it is derived as documented, and kept for its day, scope and secret",
        &["the_chain_is_that_of_the_documentation_sigv4", "keys_are_kept_for_their_secret_only_sigv4"],
    ),
    clause("signature", "it is compared in constant time", &["signatures_are_compared_in_constant_time_sigv4_rfc9421"]),
    clause(
        "presigned URLs",
        "they count only on request, until they end, seven days at most",
        &["urls_count_only_on_request_and_until_they_end_sigv4", "lifetimes_are_bounded_sigv4"],
    ),
    clause("errors", "they repeat nothing that was sent", &["what_is_malformed_is_400_and_is_not_repeated_sigv4"]),
    clause("generic form", "the same under names of one's own", &["the_seeds_form_works_under_its_own_names_sigv4"]),
];
