//! What is demanded of the talk with issuers and clients.

use super::{Clause, clause};

pub(super) const RFC_7662: &[Clause] = &[
    clause(
        "2.1",
        "the question is a form, from a service that shows who it is",
        &["the_endpoint_is_asked_as_the_standard_has_it_rfc7662_2_1", "the_client_shows_who_it_is_rfc6749_2_3_1"],
    ),
    clause(
        "2.2",
        "`active` is the boolean `true`",
        &[
            "active_is_the_boolean_true_rfc7662_2_2",
            "an_active_token_lets_its_caller_in_rfc7662_2_2",
            "opaque_tokens_are_what_the_provider_says_rfc7662",
        ],
    ),
    clause(
        "4",
        "issuer, audience, dates, scopes and bindings are still ours to check",
        &["the_claims_are_ours_to_check_rfc7662_4", "what_may_be_left_out_may_be_left_out_rfc7662_2_2"],
    ),
    clause("4", "no answer outlives its token", &["an_answer_never_outlives_the_token_rfc7662_4"]),
    clause("2.3", "a server that is down is 503, never 401", &["what_is_no_answer_is_503_and_never_401_rfc7662_2_3"]),
];

pub(super) const RFC_9396: &[Clause] = &[
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

pub(super) const RFC_9470: &[Clause] = &[
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

pub(super) const RFC_9728: &[Clause] = &[
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

pub(super) const RFC_8414: &[Clause] = &[
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

pub(super) const LOGOUT: &[Clause] = &[
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

pub(super) const RFC_9700: &[Clause] = &[
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
