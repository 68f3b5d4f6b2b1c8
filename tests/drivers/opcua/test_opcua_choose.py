"""Which endpoint is chosen, what is said if there is none, and what is said of each StatusCode."""

from __future__ import annotations

import re
from typing import Any

import pytest
from asyncua import ua
from hypothesis import given
from hypothesis import strategies as st

from edge_agent_opcua.security.choose import (
    BROKEN,
    PREFIX,
    STRENGTH,
    NoEndpoint,
    choose,
    confirm,
    reachable,
)
from edge_agent_opcua.security.explain import DROPPED, TABLE, dropped, explained

ANONYMOUS, USER, CERT = ua.UserTokenType.Anonymous, ua.UserTokenType.UserName, ua.UserTokenType.Certificate
MODES = {"None": ua.MessageSecurityMode.None_, "Sign": ua.MessageSecurityMode.Sign,
         "SignAndEncrypt": ua.MessageSecurityMode.SignAndEncrypt}  # fmt: skip


def token(kind: Any, policy: str | None = None, name: str = "") -> Any:
    return ua.UserTokenPolicy(
        PolicyId=name or f"{kind.name}-{policy}", TokenType=kind, SecurityPolicyUri=PREFIX + policy if policy else None
    )


def endpoint(
    policy: str, mode: str, tokens: tuple[Any, ...] = (), *, level: int = 0, certificate: bytes | None = b"cert",
    url: str = "opc.tcp://plc:4840",
) -> Any:  # fmt: skip
    return ua.EndpointDescription(
        EndpointUrl=url,
        Server=ua.ApplicationDescription(ApplicationUri="urn:plc", ProductUri="urn:maker"),
        ServerCertificate=certificate,
        SecurityMode=MODES[mode],
        SecurityPolicyUri=PREFIX + policy,
        UserIdentityTokens=list(tokens or (token(ANONYMOUS),)),
        SecurityLevel=level,
    )


ALL = [endpoint("None", "None"), *(endpoint(policy, mode) for policy in (*STRENGTH, *BROKEN)
                                   for mode in ("Sign", "SignAndEncrypt"))]  # fmt: skip


def test_auto_takes_the_strongest_policy_encrypted():
    chosen = choose(ALL, "auto", "auto", "anonymous")
    assert (chosen.policy, chosen.mode) == ("Aes256_Sha256_RsaPss", MODES["SignAndEncrypt"])
    assert (chosen.application_uri, chosen.product_uri, chosen.certificate) == ("urn:plc", "urn:maker", b"cert")
    assert chosen.policy_uri == "http://opcfoundation.org/UA/SecurityPolicy#Aes256_Sha256_RsaPss"


def test_auto_prefers_encryption_with_a_weaker_policy_to_a_signature_with_a_stronger():
    offered = [endpoint("Aes256_Sha256_RsaPss", "Sign"), endpoint("Aes128_Sha256_RsaOaep", "SignAndEncrypt")]
    assert choose(offered, "auto", "auto", "anonymous").policy == "Aes128_Sha256_RsaOaep"


def test_a_longer_aes_key_wins_between_the_policies_that_differ_in_nothing_else():
    offered = [endpoint("Basic256Sha256", "Sign"), endpoint("Aes128_Sha256_RsaOaep", "Sign")]
    assert choose(offered, "auto", "auto", "anonymous").policy == "Basic256Sha256"


@pytest.mark.parametrize("policy", [*STRENGTH, "auto"])
@pytest.mark.parametrize("mode", ["Sign", "SignAndEncrypt", "auto"])
def test_what_is_written_is_what_is_chosen(policy, mode):
    chosen = choose(ALL, policy, mode, "anonymous")
    assert policy in ("auto", chosen.policy)
    assert mode in ("auto", chosen.mode.name)


def test_none_is_chosen_only_where_it_is_written():
    chosen = choose(ALL, "None", "None", "anonymous")
    assert (chosen.policy, chosen.is_secure) == ("None", False)
    with pytest.raises(NoEndpoint, match="offers no encryption; to connect without it, write security: none; it offers "
                       r"None/None \(anonymous\)"):  # fmt: skip
        choose(ALL[:1], "auto", "auto", "anonymous")


@pytest.mark.parametrize("other", ["auto", "Basic256Sha256"])
def test_half_a_none_is_no_way_to_none(other):
    for policy, mode in ((other, "None"), ("None", "auto"), ("None", "Sign")):
        with pytest.raises(NoEndpoint, match=f"policy {policy} and mode {mode} exclude each other"):
            choose(ALL, policy, mode, "anonymous")


def test_where_the_server_insists_on_security_the_message_says_how_to_have_it():
    with pytest.raises(NoEndpoint, match="has no endpoint without channel security; write security: auto"):
        choose(ALL[1:], "None", "None", "anonymous")


@pytest.mark.parametrize("policy", sorted(BROKEN))
def test_a_broken_policy_is_refused_by_name_and_never_chosen(policy):
    with pytest.raises(NoEndpoint, match=f"{policy} has been broken .* also offers Aes128_Sha256_RsaOaep"):
        choose(ALL, policy, "auto", "anonymous")
    only = [endpoint(policy, "SignAndEncrypt")]
    with pytest.raises(NoEndpoint, match="offers no security policy that may be used"):
        choose(only, "auto", "auto", "anonymous")
    with pytest.raises(NoEndpoint, match="switch on Basic256Sha256"):
        choose(only, policy, "auto", "anonymous")


def test_a_policy_the_server_does_not_have_is_named_with_those_it_has():
    offered = [endpoint("Basic256Sha256", "Sign", (token(USER), token(ANONYMOUS)))]
    with pytest.raises(NoEndpoint, match=r"does not offer Basic256Sha256 SignAndEncrypt; it offers "
                       r"Basic256Sha256/Sign \(user, anonymous\)"):  # fmt: skip
        choose(offered, "Basic256Sha256", "SignAndEncrypt", "anonymous")


@pytest.mark.parametrize(
    ("login", "kind"), [("anonymous", "without a login"), ("user", "user and password"), ("cert", "user's certificate")]
)
def test_an_endpoint_that_does_not_take_the_login_is_passed_over(login, kind):
    tokens = {"anonymous": token(ANONYMOUS), "user": token(USER), "cert": token(CERT)}
    others = tuple(one for name, one in tokens.items() if name != login)
    better, worse = endpoint("Aes256_Sha256_RsaPss", "SignAndEncrypt", others), endpoint("Basic256Sha256", "Sign",
                                                                                       (tokens[login],))  # fmt: skip
    assert choose([better, worse], "auto", "auto", login).policy == "Basic256Sha256"
    with pytest.raises(NoEndpoint, match=f"does not take .*{kind}.*Aes256_Sha256_RsaPss/SignAndEncrypt"):
        choose([better], "auto", "auto", login)


def test_the_strongest_of_the_token_policies_protects_the_password():
    tokens = (token(USER, "None"), token(USER, "Basic256Sha256", "strong"), token(USER, "Basic256"))
    chosen = choose([endpoint("None", "None", tokens)], "None", "None", "user")
    assert (chosen.token_id, chosen.token_policy, chosen.hides_password) == ("strong", "Basic256Sha256", True)


@pytest.mark.parametrize(
    ("one", "hidden"),
    [
        (endpoint("None", "None", (token(USER),)), False),
        (endpoint("None", "None", (token(USER, "Basic256Sha256"),), certificate=None), False),
        (endpoint("Basic256Sha256", "Sign", (token(USER, "None"),)), False),
        (endpoint("Basic256Sha256", "Sign", (token(USER),)), True),
        (endpoint("Basic256Sha256", "SignAndEncrypt", (token(USER, "None"),)), True),
    ],
)
def test_whether_a_password_can_be_read_on_the_network_is_known(one, hidden):
    policy, mode = one.SecurityPolicyUri.removeprefix(PREFIX), one.SecurityMode.name.rstrip("_")
    assert choose([one], policy, mode, "user").hides_password is hidden


def test_a_users_certificate_without_a_signature_proves_nothing_and_does_not_count():
    with pytest.raises(NoEndpoint, match="a user's certificate here"):
        choose([endpoint("None", "None", (token(CERT),))], "None", "None", "cert")
    assert choose([endpoint("None", "None", (token(CERT, "Basic256Sha256"),))], "None", "None", "cert").token_policy


def test_a_server_that_lists_no_logins_takes_sessions_without_one():
    silent = endpoint("Basic256Sha256", "Sign")
    silent.UserIdentityTokens = []
    assert choose([silent], "auto", "auto", "anonymous").token_id == ""
    with pytest.raises(NoEndpoint, match=r"user and password here; it offers Basic256Sha256/Sign \(no login\)"):
        choose([silent], "auto", "auto", "user")


def test_secured_endpoints_without_a_certificate_and_other_transports_are_no_endpoints():
    with pytest.raises(NoEndpoint):
        choose([endpoint("Basic256Sha256", "Sign", certificate=None)], "auto", "auto", "anonymous")
    with pytest.raises(NoEndpoint, match="announces no endpoint"):
        choose([endpoint("Basic256Sha256", "Sign", url="https://plc:443")], "auto", "auto", "anonymous")
    with pytest.raises(NoEndpoint, match="announces no endpoint"):
        choose([], "auto", "auto", "anonymous")


def test_a_list_from_which_the_better_endpoints_were_taken_out_is_noticed():
    weak = [endpoint("Basic256Sha256", "Sign")]
    chosen = choose(weak, "auto", "auto", "anonymous")
    confirm(chosen, weak, "auto", "auto", "anonymous")
    with pytest.raises(NoEndpoint, match="Aes256_Sha256_RsaPss/SignAndEncrypt over the secured channel"):
        confirm(chosen, ALL, "auto", "auto", "anonymous")
    confirm(chosen, ALL, "Basic256Sha256", "Sign", "anonymous")


@given(st.lists(st.sampled_from(ALL), min_size=1), st.sampled_from(["auto", *STRENGTH]),
       st.sampled_from(["auto", "Sign", "SignAndEncrypt"]))  # fmt: skip
def test_nothing_offered_makes_a_secured_connection_fall_back_to_none(offered, policy, mode):
    try:
        chosen = choose(offered, policy, mode, "anonymous")
    except NoEndpoint:
        return
    assert chosen.is_secure
    assert chosen.policy not in BROKEN
    strength = (int(chosen.mode), STRENGTH[chosen.policy])
    for one in offered:
        name, its_mode = one.SecurityPolicyUri.removeprefix(PREFIX), one.SecurityMode
        if name in STRENGTH and policy in ("auto", name) and mode in ("auto", its_mode.name):
            assert (int(its_mode), STRENGTH[name]) <= strength


@pytest.mark.parametrize(
    ("announced", "used", "right"),
    [
        ("opc.tcp://PLC7:4840/path?x=1", "opc.tcp://10.0.0.7:4840", "opc.tcp://10.0.0.7:4840/path?x=1"),
        ("opc.tcp://plc7:48010", "opc.tcp://10.0.0.7:4840", "opc.tcp://10.0.0.7:48010"),
        ("opc.tcp://plc7/a", "opc.tcp://[fd00::7]:4841", "opc.tcp://[fd00::7]:4841/a"),
        ("opc.tcp://10.0.0.7:4840/", "opc.tcp://10.0.0.7:4840", "opc.tcp://10.0.0.7:4840/"),
        ("", "opc.tcp://10.0.0.7:4840", "opc.tcp://10.0.0.7:4840"),
        ("opc.tcp://plc7:99999/a", "opc.tcp://10.0.0.7:4840", "opc.tcp://10.0.0.7:4840/a"),
    ],
)
def test_a_host_nobody_reaches_is_replaced_by_the_one_that_was_reached(announced, used, right):
    assert reachable(announced, used) == right


# -- words for StatusCodes -----------------------------------------------------------------------

OF_SECURITY = re.compile("Certificate|SecurityChecks|SecurityPolicy|SecurityMode|IdentityToken|UserAccess|"
                         "UserSignature|TooManySessions|NonceInvalid|License|EndpointUrl|ServerUri|"
                         "ApplicationSignature")  # fmt: skip
CODES = [name for name in vars(ua.StatusCodes) if name.startswith("Bad") and OF_SECURITY.search(name)]


@pytest.mark.parametrize("name", CODES)
def test_every_code_of_security_is_explained_with_what_to_do(name):
    told = explained(getattr(ua.StatusCodes, name))
    means, _, todo = told.partition("; ")
    assert len(means) > 20
    assert todo
    assert "{" not in told.replace("security: {", "")


def test_every_sentence_is_filled_in_and_names_a_code_there_is():
    for name in TABLE:
        told = explained(getattr(ua.StatusCodes, name), "ab12")
        assert told
        assert "{ours}" not in told


def test_the_certificate_to_look_for_on_the_server_is_named_by_its_thumbprint():
    assert "edge-agent's certificate (thumbprint ab12) from the rejected" in explained(
        ua.StatusCodes.BadSecurityChecksFailed, "ab12"
    )
    assert "thumbprint ab12" in dropped("ab12")
    assert "does not trust our certificate yet" in DROPPED


def test_codes_of_other_things_are_not_explained_here():
    assert explained(ua.StatusCodes.BadNodeIdUnknown) == ""
    assert explained(0) == ""
