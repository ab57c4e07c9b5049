use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const YES: Result<Match<'_>, NotAccepted> = Ok(Match::Yes { current: true });
const OLD: Result<Match<'_>, NotAccepted> = Ok(Match::Yes { current: false });
const NO: Result<Match<'_>, NotAccepted> = Ok(Match::No);

fn pepper(letter: u8) -> Secret {
    Secret::new(vec![letter; 32])
}

#[test]
fn a_rotated_pepper_verifies_until_its_time_and_is_not_current() {
    let peppers = SecretSet::new(pepper(b'a'));
    let hasher = KeyHasher::hmac(peppers.clone()).unwrap();
    let old = hasher.digest("key").unwrap();
    assert_eq!(hasher.check(Some(&old), "key", NOW), YES);
    peppers.rotate(pepper(b'b'), NOW);
    assert_eq!(hasher.check(Some(&old), "key", NOW.saturating_sub(std::time::Duration::from_secs(1))), OLD);
    assert_eq!(hasher.check(Some(&old), "key", NOW), NO);
    assert_eq!(hasher.check(Some(&hasher.digest("key").unwrap()), "key", NOW), YES);
    assert_eq!(hasher.check(Some(&old), "other", NOW), NO);
    assert_eq!(hasher.check(None, "key", NOW), NO);
}

/// Who can write the table, but does not know the pepper, makes no key.
#[test]
fn an_unkeyed_digest_is_refused_unless_named() {
    let planted = KeyHasher::sha256().digest("key").unwrap();
    let hasher = KeyHasher::hmac(pepper(b'a')).unwrap();
    assert_eq!(hasher.check(Some(&planted), "key", NOW), Err(NotAccepted));
    let transition = hasher.also_accepting(&KeyHasher::sha256());
    assert_eq!(transition.check(Some(&planted), "key", NOW), OLD);
    assert_eq!(transition.check(Some(&planted), "other", NOW), NO);
    let keyed = hasher.digest("key").unwrap();
    assert_eq!(transition.check(Some(&keyed), "key", NOW), YES);
    assert_eq!(KeyHasher::sha256().check(Some(&keyed), "key", NOW), Err(NotAccepted));
    let other = KeyHasher::hmac(pepper(b'b')).unwrap();
    assert_eq!(other.check(Some(&keyed), "key", NOW), NO);
}

#[test]
fn short_peppers_are_refused_and_none_is_shown() {
    for set in [
        SecretSet::new("short".into()),
        SecretSet::new(pepper(b'a')).with_previous("old and short".into(), Timestamp::MAX),
    ] {
        assert_eq!(KeyHasher::hmac(set).unwrap_err().issues()[0].field, "pepper");
    }
    let hasher = KeyHasher::hmac(Secret::new("0123456789abcdef0123456789abcdef")).unwrap();
    assert_eq!(format!("{:?}", hasher.also_accepting(&KeyHasher::sha256())), "KeyHasher([\"hmac\", \"sha256\"])");
}

#[test]
fn ephemeral_hashers_agree() {
    let digest = KeyHasher::ephemeral().digest("key").unwrap();
    assert_eq!(KeyHasher::ephemeral().check(Some(&digest), "key", NOW), YES);
    assert!(KeyHasher::ephemeral().is_ephemeral() && !KeyHasher::hmac(pepper(b'a')).unwrap().is_ephemeral());
    assert_eq!(KeyHasher::hmac(pepper(b'a')).unwrap().check(Some(&digest), "key", NOW), NO);
}

#[cfg(feature = "password")]
#[test]
fn slow_digests_are_left_to_be_compared_and_the_fast_part_ends_what_is_wrong() {
    let (argon, hybrid) = (KeyHasher::cheap_argon2id(), KeyHasher::cheap_hybrid(SecretSet::new(pepper(b'a'))));
    let (slow, both) = (argon.digest("key").unwrap(), hybrid.digest("key").unwrap());
    let text = slow.slow().unwrap();
    assert_eq!(argon.check(Some(&slow), "anything", NOW), Ok(Match::Slow { text, current: true }));
    let text = both.slow().unwrap();
    assert_eq!(hybrid.check(Some(&both), "key", NOW), Ok(Match::Slow { text, current: true }));
    assert_eq!(hybrid.check(Some(&both), "other", NOW), NO);
    assert!(argon.nobody().is_some() && hybrid.nobody().is_none());
    // Other parameters, and a missing part, are to be made anew.
    let dear = KeyHasher::argon2id().also_accepting(&argon);
    let text = slow.slow().unwrap();
    assert_eq!(dear.check(Some(&slow), "key", NOW), Ok(Match::Slow { text, current: false }));
    assert_eq!(hybrid.also_accepting(&argon).check(Some(&slow), "key", NOW), Ok(Match::Slow { text, current: false }));
    let fast = KeyHasher::hmac(pepper(b'a')).unwrap().digest("key").unwrap();
    assert_eq!(hybrid.check(Some(&fast), "key", NOW), OLD);
    assert_eq!(KeyHasher::bcrypt(10).unwrap().check(Some(&slow), "key", NOW), Err(NotAccepted));
    assert_eq!(KeyHasher::hmac(pepper(b'a')).unwrap().check(Some(&both), "key", NOW), Err(NotAccepted));
    for cost in [9, 16] {
        assert_eq!(KeyHasher::bcrypt(cost).unwrap_err().issues().len(), 1);
    }
}

/// Who can write the table, but does not know the pepper, makes no key by leaving its part out.
#[cfg(feature = "password")]
#[test]
fn a_slow_digest_without_the_keyed_part_is_refused_unless_named() {
    let (argon, hybrid) = (KeyHasher::cheap_argon2id(), KeyHasher::cheap_hybrid(SecretSet::new(pepper(b'a'))));
    let planted = argon.digest("key").unwrap();
    assert_eq!(hybrid.check(Some(&planted), "key", NOW), Err(NotAccepted));
    assert_eq!(hybrid.also_accepting(&KeyHasher::sha256()).check(Some(&planted), "key", NOW), Err(NotAccepted));
    // Nor the other way round: who accepts both kinds by themselves has not asked for both at once.
    let apart = KeyHasher::hmac(pepper(b'a')).unwrap().also_accepting(&argon);
    assert_eq!(apart.check(Some(&hybrid.digest("key").unwrap()), "key", NOW), Err(NotAccepted));
}
