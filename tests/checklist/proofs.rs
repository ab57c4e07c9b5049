//! What is demanded of those who prove that they hold a key.

use super::{Clause, clause};

pub(super) const RFC_8705: &[Clause] = &[
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

pub(super) const RFC_9449: &[Clause] = &[
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
            "a_proof_is_remembered_for_longer_than_clocks_differ_rfc9449_11_1",
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

pub(super) const RFC_9421: &[Clause] = &[
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

pub(super) const SIGV4: &[Clause] = &[
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
