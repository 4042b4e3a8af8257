CREATE TABLE check_run (
    id BIGSERIAL NOT NULL,
    digest BYTEA NOT NULL,
    type TEXT NOT NULL,
    target TEXT NOT NULL,
    request TEXT NOT NULL,
    shown TEXT NOT NULL,
    state TEXT NOT NULL,
    priority INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    tries INTEGER DEFAULT '0' NOT NULL,
    leased_by TEXT,
    lease_until BIGINT,
    started_at BIGINT,
    ended_at BIGINT,
    seconds FLOAT,
    verdict TEXT,
    summary TEXT DEFAULT '' NOT NULL,
    found TEXT,
    output BYTEA,
    output_size INTEGER DEFAULT '0' NOT NULL,
    output_cut BOOLEAN DEFAULT '0' NOT NULL,
    CONSTRAINT pk_check_run PRIMARY KEY (id)
);

CREATE INDEX ix_check_run_digest ON check_run (digest, ended_at);

CREATE INDEX ix_check_run_due ON check_run (priority, id) WHERE state IN ('queued', 'running');

CREATE INDEX ix_check_run_started ON check_run (started_at);

CREATE UNIQUE INDEX uq_check_run_in_flight ON check_run (digest) WHERE state IN ('queued', 'running');

CREATE TABLE chore (
    name TEXT NOT NULL,
    next_at BIGINT NOT NULL,
    ran_at BIGINT,
    ok BOOLEAN,
    detail TEXT DEFAULT '' NOT NULL,
    failures INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_chore PRIMARY KEY (name)
);

CREATE TABLE delivery (
    id BIGSERIAL NOT NULL,
    receiver TEXT NOT NULL,
    source TEXT NOT NULL,
    content_type TEXT DEFAULT '' NOT NULL,
    received_at BIGINT NOT NULL,
    body BYTEA NOT NULL,
    size INTEGER NOT NULL,
    state TEXT DEFAULT 'stored' NOT NULL,
    applied_upto INTEGER DEFAULT '0' NOT NULL,
    events INTEGER,
    truncated INTEGER DEFAULT '0' NOT NULL,
    error TEXT,
    done_at BIGINT,
    CONSTRAINT pk_delivery PRIMARY KEY (id)
);

CREATE INDEX ix_delivery_dead ON delivery (id) WHERE state = 'dead';

CREATE INDEX ix_delivery_open ON delivery (id) WHERE state = 'stored';

CREATE TABLE delivery_stock (
    kind TEXT NOT NULL,
    counted_upto BIGINT NOT NULL,
    count BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    passed_upto BIGINT NOT NULL,
    passed_on BIGINT NOT NULL,
    pruned BIGINT DEFAULT '0' NOT NULL,
    pruned_bytes BIGINT DEFAULT '0' NOT NULL,
    CONSTRAINT pk_delivery_stock PRIMARY KEY (kind)
);

CREATE TABLE gathering (
    id BIGSERIAL NOT NULL,
    digest BYTEA NOT NULL,
    since BIGINT NOT NULL,
    rule TEXT NOT NULL,
    CONSTRAINT pk_gathering PRIMARY KEY (id)
);

CREATE INDEX ix_gathering_digest ON gathering (digest);

CREATE TABLE idempotency_key (
    digest BYTEA NOT NULL,
    request_digest BYTEA NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_idempotency_key PRIMARY KEY (digest)
);

CREATE INDEX ix_idempotency_key_created_at ON idempotency_key (created_at);

CREATE TABLE message_template (
    event TEXT NOT NULL,
    language TEXT NOT NULL,
    team_id INTEGER NOT NULL,
    subject TEXT NOT NULL,
    lead TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    CONSTRAINT pk_message_template PRIMARY KEY (event, language, team_id)
);

CREATE TABLE page_budget (
    team_id BIGINT NOT NULL,
    paged TEXT NOT NULL,
    digest_at BIGINT,
    CONSTRAINT pk_page_budget PRIMARY KEY (team_id)
);

CREATE TABLE playbook_version (
    hash VARCHAR(64) NOT NULL,
    playbook TEXT NOT NULL,
    title TEXT NOT NULL,
    source TEXT NOT NULL,
    at BIGINT NOT NULL,
    CONSTRAINT pk_playbook_version PRIMARY KEY (hash)
);

CREATE TABLE reconciliation (
    source TEXT NOT NULL,
    alive_at BIGINT NOT NULL,
    down_from BIGINT,
    next_at BIGINT NOT NULL,
    looked_at BIGINT,
    error TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_reconciliation PRIMARY KEY (source)
);

CREATE TABLE refusal (
    source TEXT NOT NULL,
    reason TEXT NOT NULL,
    count BIGINT NOT NULL,
    began_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    CONSTRAINT pk_refusal PRIMARY KEY (source, reason)
);

CREATE TABLE sender (
    source TEXT NOT NULL,
    receiver TEXT NOT NULL,
    first_seen BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    deliveries BIGINT NOT NULL,
    events BIGINT NOT NULL,
    truncated BIGINT DEFAULT '0' NOT NULL,
    truncated_at BIGINT,
    CONSTRAINT pk_sender PRIMARY KEY (source, receiver)
);

CREATE TABLE setting (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    CONSTRAINT pk_setting PRIMARY KEY (name)
);

CREATE TABLE syslog_alert (
    digest BYTEA NOT NULL,
    rule TEXT NOT NULL,
    host TEXT NOT NULL,
    app TEXT NOT NULL,
    template TEXT NOT NULL,
    lines BIGINT NOT NULL,
    kept BIGINT NOT NULL,
    body BYTEA,
    silent_at BIGINT,
    CONSTRAINT pk_syslog_alert PRIMARY KEY (digest)
);

CREATE INDEX ix_syslog_alert_silent ON syslog_alert (silent_at) WHERE silent_at IS NOT NULL;

CREATE TABLE syslog_example (
    digest BYTEA NOT NULL,
    slot INTEGER NOT NULL,
    delivery_id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    arrived_at BIGINT NOT NULL,
    host TEXT NOT NULL,
    app TEXT NOT NULL,
    facility INTEGER NOT NULL,
    severity INTEGER NOT NULL,
    text TEXT NOT NULL,
    raw TEXT NOT NULL,
    CONSTRAINT pk_syslog_example PRIMARY KEY (digest, slot)
);

CREATE TABLE syslog_minute (
    minute BIGINT NOT NULL,
    host TEXT NOT NULL,
    app TEXT NOT NULL,
    reason TEXT NOT NULL,
    lines BIGINT NOT NULL,
    CONSTRAINT pk_syslog_minute PRIMARY KEY (minute, host, app, reason)
);

CREATE TABLE syslog_run (
    id BIGSERIAL NOT NULL,
    node TEXT NOT NULL,
    pid INTEGER NOT NULL,
    addresses TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    ended BOOLEAN DEFAULT '0' NOT NULL,
    counts TEXT NOT NULL,
    problem TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_syslog_run PRIMARY KEY (id)
);

CREATE INDEX ix_syslog_run_seen ON syslog_run (seen_at);

CREATE TABLE syslog_share (
    digest BYTEA NOT NULL,
    host TEXT NOT NULL,
    hour BIGINT NOT NULL,
    count INTEGER NOT NULL,
    CONSTRAINT pk_syslog_share PRIMARY KEY (digest)
);

CREATE TABLE syslog_template (
    digest BYTEA NOT NULL,
    app TEXT NOT NULL,
    template TEXT NOT NULL,
    severity INTEGER NOT NULL,
    reason TEXT NOT NULL,
    rule TEXT NOT NULL,
    host TEXT NOT NULL,
    example TEXT NOT NULL,
    lines BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    CONSTRAINT pk_syslog_template PRIMARY KEY (digest)
);

CREATE INDEX ix_syslog_template_last ON syslog_template (last_at);

CREATE INDEX ix_syslog_template_lines ON syslog_template (lines, digest);

CREATE TABLE syslog_window (
    digest BYTEA NOT NULL,
    rule TEXT NOT NULL,
    moments TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    CONSTRAINT pk_syslog_window PRIMARY KEY (digest)
);

CREATE INDEX ix_syslog_window_expires_at ON syslog_window (expires_at);

CREATE TABLE team (
    id BIGSERIAL NOT NULL,
    name TEXT NOT NULL,
    email TEXT DEFAULT '' NOT NULL,
    handover TEXT DEFAULT '' NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_team PRIMARY KEY (id),
    CONSTRAINT uq_team_name UNIQUE (name)
);

CREATE TABLE timeline (
    incident_id BIGINT NOT NULL,
    seq INTEGER NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    actor_id BIGINT,
    actor_role TEXT NOT NULL,
    rule TEXT DEFAULT '' NOT NULL,
    content_digest BYTEA NOT NULL,
    prev BYTEA NOT NULL,
    mac BYTEA NOT NULL,
    CONSTRAINT pk_timeline PRIMARY KEY (incident_id, seq)
);

CREATE INDEX ix_timeline_at ON timeline USING brin (at);

CREATE TABLE timeline_content (
    incident_id BIGINT NOT NULL,
    seq INTEGER NOT NULL,
    salt BYTEA NOT NULL,
    content TEXT NOT NULL,
    CONSTRAINT pk_timeline_content PRIMARY KEY (incident_id, seq)
);

CREATE TABLE traffic (
    seconds INTEGER NOT NULL,
    began_at BIGINT NOT NULL,
    source TEXT NOT NULL,
    receiver TEXT NOT NULL,
    deliveries BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    events BIGINT NOT NULL,
    dead BIGINT NOT NULL,
    lag_sum BIGINT NOT NULL,
    lag_max BIGINT NOT NULL,
    CONSTRAINT pk_traffic PRIMARY KEY (seconds, began_at, source, receiver)
);

CREATE TABLE traffic_mark (
    name TEXT NOT NULL,
    upto BIGINT NOT NULL,
    CONSTRAINT pk_traffic_mark PRIMARY KEY (name)
);

CREATE TABLE trouble (
    name TEXT NOT NULL,
    subject TEXT NOT NULL,
    labels TEXT NOT NULL,
    summary TEXT NOT NULL,
    began_at BIGINT,
    ended_at BIGINT,
    seen_at BIGINT NOT NULL,
    CONSTRAINT pk_trouble PRIMARY KEY (name, subject)
);

CREATE TABLE user_account (
    id BIGSERIAL NOT NULL,
    name TEXT NOT NULL,
    display TEXT DEFAULT '' NOT NULL,
    email TEXT DEFAULT '' NOT NULL,
    roles TEXT NOT NULL,
    password_hash TEXT,
    language TEXT DEFAULT '' NOT NULL,
    active BOOLEAN DEFAULT '1' NOT NULL,
    failed_logins INTEGER DEFAULT '0' NOT NULL,
    locked_until BIGINT,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_user_account PRIMARY KEY (id),
    CONSTRAINT uq_user_account_name UNIQUE (name)
);

CREATE INDEX ix_user_account_email ON user_account (email);

CREATE TABLE absence (
    id BIGSERIAL NOT NULL,
    user_id BIGINT NOT NULL,
    starts_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    deputy_id BIGINT,
    reason TEXT DEFAULT '' NOT NULL,
    made_by BIGINT,
    created_at BIGINT NOT NULL,
    cancelled_at BIGINT,
    hand_over BOOLEAN DEFAULT '1' NOT NULL,
    handed_at BIGINT,
    CONSTRAINT pk_absence PRIMARY KEY (id),
    CONSTRAINT fk_absence_user_id FOREIGN KEY(user_id) REFERENCES user_account (id),
    CONSTRAINT fk_absence_deputy_id FOREIGN KEY(deputy_id) REFERENCES user_account (id),
    CONSTRAINT fk_absence_made_by FOREIGN KEY(made_by) REFERENCES user_account (id)
);

CREATE INDEX ix_absence_time ON absence (user_id, ends_at);

CREATE TABLE dead_letter (
    id BIGSERIAL NOT NULL,
    delivery_id BIGINT NOT NULL,
    idx INTEGER NOT NULL,
    error TEXT NOT NULL,
    at BIGINT NOT NULL,
    cleared_at BIGINT,
    CONSTRAINT pk_dead_letter PRIMARY KEY (id),
    CONSTRAINT uq_dead_letter_delivery_id_idx UNIQUE (delivery_id, idx),
    CONSTRAINT fk_dead_letter_delivery_id FOREIGN KEY(delivery_id) REFERENCES delivery (id)
);

CREATE INDEX ix_dead_letter_open ON dead_letter (at) WHERE cleared_at IS NULL;

CREATE TABLE escalation_policy (
    id BIGSERIAL NOT NULL,
    name TEXT NOT NULL,
    version INTEGER DEFAULT '1' NOT NULL,
    body TEXT NOT NULL,
    made_by BIGINT,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_escalation_policy PRIMARY KEY (id),
    CONSTRAINT uq_escalation_policy_name UNIQUE (name),
    CONSTRAINT fk_escalation_policy_made_by FOREIGN KEY(made_by) REFERENCES user_account (id)
);

CREATE TABLE heartbeat (
    id BIGSERIAL NOT NULL,
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    source TEXT DEFAULT '' NOT NULL,
    peer TEXT DEFAULT '' NOT NULL,
    every INTEGER NOT NULL,
    grace INTEGER NOT NULL,
    service TEXT DEFAULT '' NOT NULL,
    severity TEXT DEFAULT '' NOT NULL,
    gaps TEXT,
    first_at BIGINT,
    last_at BIGINT,
    count BIGINT DEFAULT '0' NOT NULL,
    due_at BIGINT,
    silent_since BIGINT,
    paused BOOLEAN DEFAULT '0' NOT NULL,
    made_by BIGINT,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_heartbeat PRIMARY KEY (id),
    CONSTRAINT uq_heartbeat_key UNIQUE (key),
    CONSTRAINT fk_heartbeat_made_by FOREIGN KEY(made_by) REFERENCES user_account (id)
);

CREATE INDEX ix_heartbeat_due_at ON heartbeat (due_at);

CREATE TABLE link (
    id_hash BYTEA NOT NULL,
    purpose TEXT NOT NULL,
    user_id BIGINT,
    incident_id BIGINT,
    cycle INTEGER,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    CONSTRAINT pk_link PRIMARY KEY (id_hash),
    CONSTRAINT fk_link_user_id FOREIGN KEY(user_id) REFERENCES user_account (id)
);

CREATE INDEX ix_link_incident_id ON link (incident_id);

CREATE TABLE person_rule (
    user_id BIGINT NOT NULL,
    body TEXT NOT NULL,
    CONSTRAINT pk_person_rule PRIMARY KEY (user_id),
    CONSTRAINT fk_person_rule_user_id FOREIGN KEY(user_id) REFERENCES user_account (id)
);

CREATE TABLE schedule (
    id BIGSERIAL NOT NULL,
    name TEXT NOT NULL,
    team_id BIGINT,
    timezone TEXT NOT NULL,
    layers TEXT NOT NULL,
    feed_hash BYTEA,
    made_by BIGINT,
    created_at BIGINT NOT NULL,
    version INTEGER DEFAULT '1' NOT NULL,
    CONSTRAINT pk_schedule PRIMARY KEY (id),
    CONSTRAINT uq_schedule_name UNIQUE (name),
    CONSTRAINT fk_schedule_team_id FOREIGN KEY(team_id) REFERENCES team (id),
    CONSTRAINT uq_schedule_feed_hash UNIQUE (feed_hash),
    CONSTRAINT fk_schedule_made_by FOREIGN KEY(made_by) REFERENCES user_account (id)
);

CREATE INDEX ix_schedule_team_id ON schedule (team_id);

CREATE TABLE service (
    id BIGSERIAL NOT NULL,
    name TEXT NOT NULL,
    team_id BIGINT NOT NULL,
    criticality INTEGER DEFAULT '2' NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_service PRIMARY KEY (id),
    CONSTRAINT uq_service_name UNIQUE (name),
    CONSTRAINT fk_service_team_id FOREIGN KEY(team_id) REFERENCES team (id)
);

CREATE INDEX ix_service_team_id ON service (team_id);

CREATE TABLE session (
    id_hash BYTEA NOT NULL,
    user_id BIGINT NOT NULL,
    csrf TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    agent TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_session PRIMARY KEY (id_hash),
    CONSTRAINT fk_session_user_id FOREIGN KEY(user_id) REFERENCES user_account (id)
);

CREATE INDEX ix_session_user_id ON session (user_id);

CREATE TABLE team_member (
    team_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    lead BOOLEAN DEFAULT '0' NOT NULL,
    CONSTRAINT pk_team_member PRIMARY KEY (team_id, user_id),
    CONSTRAINT fk_team_member_team_id FOREIGN KEY(team_id) REFERENCES team (id),
    CONSTRAINT fk_team_member_user_id FOREIGN KEY(user_id) REFERENCES user_account (id)
);

CREATE INDEX ix_team_member_user_id ON team_member (user_id);

CREATE TABLE team_rule (
    team_id BIGINT NOT NULL,
    body TEXT NOT NULL,
    last_user_id BIGINT,
    CONSTRAINT pk_team_rule PRIMARY KEY (team_id),
    CONSTRAINT fk_team_rule_team_id FOREIGN KEY(team_id) REFERENCES team (id),
    CONSTRAINT fk_team_rule_last_user_id FOREIGN KEY(last_user_id) REFERENCES user_account (id)
);

CREATE TABLE token (
    id VARCHAR(24) NOT NULL,
    name TEXT NOT NULL,
    user_id BIGINT,
    secret_hash BYTEA NOT NULL,
    scopes TEXT NOT NULL,
    source TEXT DEFAULT '' NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    last_used_at BIGINT,
    revoked_at BIGINT,
    CONSTRAINT pk_token PRIMARY KEY (id),
    CONSTRAINT fk_token_user_id FOREIGN KEY(user_id) REFERENCES user_account (id)
);

CREATE INDEX ix_token_user_id ON token (user_id);

CREATE TABLE escalation_use (
    id BIGSERIAL NOT NULL,
    policy_id BIGINT NOT NULL,
    team_id BIGINT,
    service_id BIGINT,
    CONSTRAINT pk_escalation_use PRIMARY KEY (id),
    CONSTRAINT fk_escalation_use_policy_id FOREIGN KEY(policy_id) REFERENCES escalation_policy (id),
    CONSTRAINT uq_escalation_use_team_id UNIQUE (team_id),
    CONSTRAINT fk_escalation_use_team_id FOREIGN KEY(team_id) REFERENCES team (id),
    CONSTRAINT uq_escalation_use_service_id UNIQUE (service_id),
    CONSTRAINT fk_escalation_use_service_id FOREIGN KEY(service_id) REFERENCES service (id)
);

CREATE INDEX ix_escalation_use_policy_id ON escalation_use (policy_id);

CREATE TABLE incident (
    id BIGSERIAL NOT NULL,
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    cycle INTEGER DEFAULT '1' NOT NULL,
    version INTEGER DEFAULT '1' NOT NULL,
    title TEXT NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    category TEXT DEFAULT '' NOT NULL,
    tags TEXT,
    impact INTEGER,
    urgency INTEGER,
    priority INTEGER,
    top_priority INTEGER,
    major BOOLEAN DEFAULT '0' NOT NULL,
    data_loss BOOLEAN DEFAULT '0' NOT NULL,
    service_id BIGINT,
    service_label TEXT DEFAULT '' NOT NULL,
    team_id BIGINT,
    owner_id BIGINT,
    requester_id BIGINT,
    channel TEXT DEFAULT '' NOT NULL,
    source TEXT DEFAULT '' NOT NULL,
    labels TEXT,
    correlation BYTEA,
    creation TEXT,
    waiting_on TEXT DEFAULT 'none' NOT NULL,
    occurrences INTEGER DEFAULT '0' NOT NULL,
    first_seen BIGINT,
    last_seen BIGINT,
    started_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    acknowledged_at BIGINT,
    hold_reason TEXT,
    hold_until BIGINT,
    next_look_at BIGINT,
    resolved_at BIGINT,
    resolver_id BIGINT,
    resolution_code TEXT,
    cause_class TEXT,
    resolution_notes TEXT,
    explanation TEXT,
    cancel_reason TEXT,
    closed_at BIGINT,
    auto_recovered BOOLEAN DEFAULT '0' NOT NULL,
    recovered_at BIGINT,
    suspect_at BIGINT,
    quiet_from BIGINT,
    due_at BIGINT,
    unassigned_due_at BIGINT,
    ladder_from BIGINT,
    ladder_step INTEGER DEFAULT '0' NOT NULL,
    ladder_due_at BIGINT,
    activity_at BIGINT,
    stale_step INTEGER DEFAULT '0' NOT NULL,
    stale_due_at BIGINT,
    recurrence_of BIGINT,
    merged_into BIGINT,
    parent_id BIGINT,
    test BOOLEAN DEFAULT '0' NOT NULL,
    self_reviewed BOOLEAN DEFAULT '0' NOT NULL,
    head_seq INTEGER DEFAULT '0' NOT NULL,
    head_mac BYTEA,
    CONSTRAINT pk_incident PRIMARY KEY (id),
    CONSTRAINT fk_incident_service_id FOREIGN KEY(service_id) REFERENCES service (id),
    CONSTRAINT fk_incident_team_id FOREIGN KEY(team_id) REFERENCES team (id),
    CONSTRAINT fk_incident_owner_id FOREIGN KEY(owner_id) REFERENCES user_account (id),
    CONSTRAINT fk_incident_requester_id FOREIGN KEY(requester_id) REFERENCES user_account (id),
    CONSTRAINT fk_incident_resolver_id FOREIGN KEY(resolver_id) REFERENCES user_account (id),
    CONSTRAINT fk_incident_recurrence_of FOREIGN KEY(recurrence_of) REFERENCES incident (id),
    CONSTRAINT fk_incident_merged_into FOREIGN KEY(merged_into) REFERENCES incident (id),
    CONSTRAINT fk_incident_parent_id FOREIGN KEY(parent_id) REFERENCES incident (id)
)
 WITH (fillfactor = 70);

CREATE INDEX ix_incident_category ON incident (category, status, priority, id);

CREATE INDEX ix_incident_correlation ON incident (correlation, started_at);

CREATE INDEX ix_incident_due ON incident (due_at) WHERE due_at IS NOT NULL;

CREATE INDEX ix_incident_ladder ON incident (ladder_due_at) WHERE ladder_due_at IS NOT NULL;

CREATE INDEX ix_incident_look ON incident (next_look_at) WHERE next_look_at IS NOT NULL;

CREATE INDEX ix_incident_major ON incident (status, priority, id) WHERE major;

CREATE INDEX ix_incident_open ON incident (priority, id) WHERE status NOT IN ('closed', 'cancelled');

CREATE INDEX ix_incident_owner ON incident (owner_id, status, id);

CREATE INDEX ix_incident_parent_id ON incident (parent_id);

CREATE INDEX ix_incident_requester_id ON incident (requester_id);

CREATE INDEX ix_incident_service_id ON incident (service_id);

CREATE INDEX ix_incident_service_label ON incident (service_label, status, priority, id);

CREATE INDEX ix_incident_source ON incident (source, status, priority, id);

CREATE INDEX ix_incident_status ON incident (status, priority, id);

CREATE INDEX ix_incident_team ON incident (team_id, status, id);

CREATE INDEX ix_incident_test ON incident (status, priority) WHERE test;

CREATE INDEX ix_incident_unassigned ON incident (unassigned_due_at) WHERE unassigned_due_at IS NOT NULL;

CREATE TABLE maintenance_window (
    id BIGSERIAL NOT NULL,
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    service_id BIGINT,
    matchers TEXT DEFAULT '' NOT NULL,
    source TEXT DEFAULT '' NOT NULL,
    starts_at BIGINT NOT NULL,
    minutes INTEGER NOT NULL,
    recurrence TEXT DEFAULT '' NOT NULL,
    timezone TEXT DEFAULT 'UTC' NOT NULL,
    over_at BIGINT,
    cancelled_at BIGINT,
    made_by BIGINT,
    created_at BIGINT NOT NULL,
    version INTEGER DEFAULT '1' NOT NULL,
    CONSTRAINT pk_maintenance_window PRIMARY KEY (id),
    CONSTRAINT fk_maintenance_window_service_id FOREIGN KEY(service_id) REFERENCES service (id),
    CONSTRAINT fk_maintenance_window_made_by FOREIGN KEY(made_by) REFERENCES user_account (id)
);

CREATE INDEX ix_maintenance_window_over ON maintenance_window (over_at);

CREATE INDEX ix_maintenance_window_service_id ON maintenance_window (service_id);

CREATE TABLE schedule_override (
    id BIGSERIAL NOT NULL,
    schedule_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    starts_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    uid TEXT DEFAULT '' NOT NULL,
    made_by BIGINT,
    created_at BIGINT NOT NULL,
    cancelled_at BIGINT,
    CONSTRAINT pk_schedule_override PRIMARY KEY (id),
    CONSTRAINT fk_schedule_override_schedule_id FOREIGN KEY(schedule_id) REFERENCES schedule (id),
    CONSTRAINT fk_schedule_override_user_id FOREIGN KEY(user_id) REFERENCES user_account (id),
    CONSTRAINT fk_schedule_override_made_by FOREIGN KEY(made_by) REFERENCES user_account (id)
);

CREATE INDEX ix_schedule_override_time ON schedule_override (schedule_id, ends_at);

CREATE INDEX ix_schedule_override_user_id ON schedule_override (user_id);

CREATE TABLE action_item (
    id BIGSERIAL NOT NULL,
    incident_id BIGINT NOT NULL,
    title TEXT NOT NULL,
    type TEXT DEFAULT '' NOT NULL,
    owner_id BIGINT,
    due_at BIGINT,
    blocking BOOLEAN DEFAULT '0' NOT NULL,
    tracking TEXT DEFAULT '' NOT NULL,
    status TEXT DEFAULT 'open' NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    proof TEXT DEFAULT '' NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_action_item PRIMARY KEY (id),
    CONSTRAINT fk_action_item_incident_id FOREIGN KEY(incident_id) REFERENCES incident (id),
    CONSTRAINT fk_action_item_owner_id FOREIGN KEY(owner_id) REFERENCES user_account (id)
);

CREATE INDEX ix_action_item_incident_id ON action_item (incident_id);

CREATE INDEX ix_action_item_owner_id ON action_item (owner_id);

CREATE TABLE alert (
    id BIGSERIAL NOT NULL,
    digest BYTEA NOT NULL,
    source TEXT NOT NULL,
    key BYTEA NOT NULL,
    fingerprint TEXT DEFAULT '' NOT NULL,
    name TEXT NOT NULL,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL,
    summary TEXT DEFAULT '' NOT NULL,
    generator_url TEXT DEFAULT '' NOT NULL,
    severity TEXT DEFAULT '' NOT NULL,
    clears BOOLEAN NOT NULL,
    status TEXT NOT NULL,
    starts_at BIGINT NOT NULL,
    ends_at BIGINT,
    first_seen BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    last_seq BIGINT NOT NULL,
    count INTEGER NOT NULL,
    suspect_due_at BIGINT,
    confirmed_seq BIGINT,
    incident_id BIGINT,
    correlation BYTEA,
    decision TEXT DEFAULT '' NOT NULL,
    rule TEXT DEFAULT '' NOT NULL,
    waits TEXT,
    waits_until BIGINT,
    window_id BIGINT,
    flapping_since BIGINT,
    flap_ends_at BIGINT,
    lacks INTEGER DEFAULT '0' NOT NULL,
    checked_at BIGINT,
    check_mark TEXT,
    CONSTRAINT pk_alert PRIMARY KEY (id),
    CONSTRAINT uq_alert_digest UNIQUE (digest),
    CONSTRAINT fk_alert_incident_id FOREIGN KEY(incident_id) REFERENCES incident (id)
)
 WITH (fillfactor = 70);

CREATE INDEX ix_alert_fingerprint ON alert (fingerprint);

CREATE INDEX ix_alert_flapping ON alert (flap_ends_at) WHERE flap_ends_at IS NOT NULL;

CREATE INDEX ix_alert_incident_id ON alert (incident_id);

CREATE INDEX ix_alert_lacks ON alert (name, lacks) WHERE lacks > 0;

CREATE INDEX ix_alert_name ON alert (name, id);

CREATE INDEX ix_alert_suspect ON alert (suspect_due_at) WHERE suspect_due_at IS NOT NULL;

CREATE INDEX ix_alert_to_check ON alert (id) WHERE incident_id IS NULL AND checked_at IS NULL;

CREATE INDEX ix_alert_waits ON alert (correlation) WHERE waits = 'group';

CREATE INDEX ix_alert_waits_until ON alert (waits_until) WHERE waits_until IS NOT NULL;

CREATE INDEX ix_alert_window_id ON alert (window_id);

CREATE TABLE auto_assignment (
    id BIGSERIAL NOT NULL,
    incident_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    CONSTRAINT pk_auto_assignment PRIMARY KEY (id),
    CONSTRAINT fk_auto_assignment_incident_id FOREIGN KEY(incident_id) REFERENCES incident (id),
    CONSTRAINT fk_auto_assignment_user_id FOREIGN KEY(user_id) REFERENCES user_account (id)
);

CREATE INDEX ix_auto_assignment_incident_id ON auto_assignment (incident_id);

CREATE INDEX ix_auto_assignment_user ON auto_assignment (user_id, at);

CREATE TABLE confirmation (
    id BIGSERIAL NOT NULL,
    incident_id BIGINT NOT NULL,
    cycle INTEGER NOT NULL,
    accepted BOOLEAN NOT NULL,
    kind TEXT NOT NULL,
    comment TEXT DEFAULT '' NOT NULL,
    actor_id BIGINT,
    at BIGINT NOT NULL,
    CONSTRAINT pk_confirmation PRIMARY KEY (id),
    CONSTRAINT fk_confirmation_incident_id FOREIGN KEY(incident_id) REFERENCES incident (id),
    CONSTRAINT fk_confirmation_actor_id FOREIGN KEY(actor_id) REFERENCES user_account (id)
);

CREATE INDEX ix_confirmation_incident_id ON confirmation (incident_id);

CREATE TABLE correlation (
    digest BYTEA NOT NULL,
    incident_id BIGINT,
    began_at BIGINT,
    until BIGINT,
    latest_start BIGINT,
    CONSTRAINT pk_correlation PRIMARY KEY (digest),
    CONSTRAINT fk_correlation_incident_id FOREIGN KEY(incident_id) REFERENCES incident (id)
);

CREATE TABLE escalation (
    incident_id BIGINT NOT NULL,
    policy_id BIGINT NOT NULL,
    policy_version INTEGER NOT NULL,
    policy TEXT NOT NULL,
    cycle INTEGER NOT NULL,
    run INTEGER DEFAULT '1' NOT NULL,
    takes_over INTEGER,
    state TEXT NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    began_at BIGINT NOT NULL,
    began_seq INTEGER NOT NULL,
    round INTEGER DEFAULT '1' NOT NULL,
    step INTEGER DEFAULT '0' NOT NULL,
    due_at BIGINT,
    CONSTRAINT pk_escalation PRIMARY KEY (incident_id),
    CONSTRAINT fk_escalation_incident_id FOREIGN KEY(incident_id) REFERENCES incident (id),
    CONSTRAINT fk_escalation_policy_id FOREIGN KEY(policy_id) REFERENCES escalation_policy (id)
);

CREATE INDEX ix_escalation_due ON escalation (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE outbox (
    id BIGSERIAL NOT NULL,
    dedup TEXT NOT NULL,
    incident_id BIGINT,
    event TEXT NOT NULL,
    channel TEXT NOT NULL,
    target TEXT NOT NULL,
    payload TEXT NOT NULL,
    state TEXT DEFAULT 'pending' NOT NULL,
    created_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    tries INTEGER DEFAULT '0' NOT NULL,
    leased_by TEXT,
    lease_until BIGINT,
    sent_at BIGINT,
    provider_id TEXT,
    maybe_duplicate INTEGER DEFAULT '0' NOT NULL,
    error TEXT,
    CONSTRAINT pk_outbox PRIMARY KEY (id),
    CONSTRAINT uq_outbox_dedup UNIQUE (dedup),
    CONSTRAINT fk_outbox_incident_id FOREIGN KEY(incident_id) REFERENCES incident (id)
);

CREATE INDEX ix_outbox_failed ON outbox (created_at) WHERE state = 'failed';

CREATE INDEX ix_outbox_held ON outbox (due_at) WHERE state = 'held';

CREATE INDEX ix_outbox_incident_id ON outbox (incident_id);

CREATE INDEX ix_outbox_pending ON outbox (due_at) WHERE state = 'pending';

CREATE TABLE playbook_run (
    id BIGSERIAL NOT NULL,
    incident_id BIGINT NOT NULL,
    playbook TEXT NOT NULL,
    hash VARCHAR(64) NOT NULL,
    attached_at BIGINT NOT NULL,
    attached_by BIGINT,
    labels TEXT,
    helped BOOLEAN,
    helped_step TEXT,
    helped_by BIGINT,
    helped_at BIGINT,
    CONSTRAINT pk_playbook_run PRIMARY KEY (id),
    CONSTRAINT uq_playbook_run_incident_id_playbook UNIQUE (incident_id, playbook),
    CONSTRAINT fk_playbook_run_incident_id FOREIGN KEY(incident_id) REFERENCES incident (id),
    CONSTRAINT fk_playbook_run_hash FOREIGN KEY(hash) REFERENCES playbook_version (hash),
    CONSTRAINT fk_playbook_run_attached_by FOREIGN KEY(attached_by) REFERENCES user_account (id),
    CONSTRAINT fk_playbook_run_helped_by FOREIGN KEY(helped_by) REFERENCES user_account (id)
);

CREATE TABLE reach (
    digest BYTEA NOT NULL,
    incident_id BIGINT NOT NULL,
    rule TEXT NOT NULL,
    guests BOOLEAN DEFAULT '0' NOT NULL,
    CONSTRAINT pk_reach PRIMARY KEY (digest, incident_id),
    CONSTRAINT fk_reach_incident_id FOREIGN KEY(incident_id) REFERENCES incident (id)
);

CREATE INDEX ix_reach_guests ON reach (digest) WHERE guests;

CREATE INDEX ix_reach_incident_id ON reach (incident_id);

CREATE TABLE review (
    id BIGSERIAL NOT NULL,
    incident_id BIGINT NOT NULL,
    version INTEGER NOT NULL,
    cycle INTEGER NOT NULL,
    status TEXT NOT NULL,
    depth TEXT NOT NULL,
    body TEXT NOT NULL,
    author_id BIGINT,
    authors TEXT NOT NULL,
    reviewer_id BIGINT,
    change_request TEXT,
    waiver_reason TEXT,
    waived_by BIGINT,
    self_reviewed BOOLEAN DEFAULT '0' NOT NULL,
    row_version INTEGER DEFAULT '1' NOT NULL,
    created_at BIGINT NOT NULL,
    submitted_at BIGINT,
    decided_at BIGINT,
    due_at BIGINT,
    reminded_at BIGINT,
    CONSTRAINT pk_review PRIMARY KEY (id),
    CONSTRAINT uq_review_incident_id_version UNIQUE (incident_id, version),
    CONSTRAINT fk_review_incident_id FOREIGN KEY(incident_id) REFERENCES incident (id),
    CONSTRAINT fk_review_author_id FOREIGN KEY(author_id) REFERENCES user_account (id),
    CONSTRAINT fk_review_reviewer_id FOREIGN KEY(reviewer_id) REFERENCES user_account (id),
    CONSTRAINT fk_review_waived_by FOREIGN KEY(waived_by) REFERENCES user_account (id)
);

CREATE INDEX ix_review_incident_id ON review (incident_id);

CREATE INDEX ix_review_pending ON review (due_at) WHERE decided_at IS NULL;

CREATE TABLE second_person_request (
    id BIGSERIAL NOT NULL,
    incident_id BIGINT NOT NULL,
    cycle INTEGER NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    payload TEXT,
    status TEXT DEFAULT 'asked' NOT NULL,
    asked_by BIGINT NOT NULL,
    asked_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    decided_by BIGINT,
    decided_at BIGINT,
    comment TEXT DEFAULT '' NOT NULL,
    self_reviewed BOOLEAN DEFAULT '0' NOT NULL,
    CONSTRAINT pk_second_person_request PRIMARY KEY (id),
    CONSTRAINT fk_second_person_request_incident_id FOREIGN KEY(incident_id) REFERENCES incident (id),
    CONSTRAINT fk_second_person_request_asked_by FOREIGN KEY(asked_by) REFERENCES user_account (id),
    CONSTRAINT fk_second_person_request_decided_by FOREIGN KEY(decided_by) REFERENCES user_account (id)
);

CREATE INDEX ix_second_person_request_incident_id ON second_person_request (incident_id);

CREATE INDEX ix_second_person_request_open ON second_person_request (status, id);

CREATE TABLE silence (
    id BIGSERIAL NOT NULL,
    incident_id BIGINT NOT NULL,
    silence_id VARCHAR(64),
    labels TEXT NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    actor_id BIGINT,
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    ended_at BIGINT,
    error TEXT,
    CONSTRAINT pk_silence PRIMARY KEY (id),
    CONSTRAINT fk_silence_incident_id FOREIGN KEY(incident_id) REFERENCES incident (id),
    CONSTRAINT fk_silence_actor_id FOREIGN KEY(actor_id) REFERENCES user_account (id)
);

CREATE INDEX ix_silence_incident_id ON silence (incident_id);

CREATE INDEX ix_silence_set ON silence (state, id) WHERE state IN ('asked', 'active');

CREATE TABLE storm (
    digest BYTEA NOT NULL,
    source TEXT NOT NULL,
    name TEXT NOT NULL,
    opened TEXT NOT NULL,
    incident_id BIGINT,
    until BIGINT,
    taken INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_storm PRIMARY KEY (digest),
    CONSTRAINT fk_storm_incident_id FOREIGN KEY(incident_id) REFERENCES incident (id)
);

CREATE TABLE task (
    id BIGSERIAL NOT NULL,
    incident_id BIGINT NOT NULL,
    title TEXT NOT NULL,
    assignee_id BIGINT,
    due_at BIGINT,
    mandatory BOOLEAN DEFAULT '0' NOT NULL,
    status TEXT DEFAULT 'open' NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_task PRIMARY KEY (id),
    CONSTRAINT fk_task_incident_id FOREIGN KEY(incident_id) REFERENCES incident (id),
    CONSTRAINT fk_task_assignee_id FOREIGN KEY(assignee_id) REFERENCES user_account (id)
);

CREATE INDEX ix_task_assignee_id ON task (assignee_id);

CREATE INDEX ix_task_incident_id ON task (incident_id);

CREATE TABLE verification (
    id BIGSERIAL NOT NULL,
    incident_id BIGINT NOT NULL,
    cycle INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    kind TEXT NOT NULL,
    tested TEXT NOT NULL,
    evidence TEXT DEFAULT '' NOT NULL,
    no_new_problem BOOLEAN NOT NULL,
    actor_id BIGINT,
    at BIGINT NOT NULL,
    CONSTRAINT pk_verification PRIMARY KEY (id),
    CONSTRAINT fk_verification_incident_id FOREIGN KEY(incident_id) REFERENCES incident (id),
    CONSTRAINT fk_verification_actor_id FOREIGN KEY(actor_id) REFERENCES user_account (id)
);

CREATE INDEX ix_verification_incident_id ON verification (incident_id);

CREATE TABLE episode (
    id BIGSERIAL NOT NULL,
    alert_id BIGINT NOT NULL,
    incident_id BIGINT,
    starts_at BIGINT NOT NULL,
    ends_at BIGINT,
    fired BOOLEAN NOT NULL,
    suspect BOOLEAN DEFAULT '0' NOT NULL,
    passed BOOLEAN DEFAULT '0' NOT NULL,
    held_until BIGINT,
    CONSTRAINT pk_episode PRIMARY KEY (id),
    CONSTRAINT fk_episode_alert_id FOREIGN KEY(alert_id) REFERENCES alert (id),
    CONSTRAINT fk_episode_incident_id FOREIGN KEY(incident_id) REFERENCES incident (id)
);

CREATE INDEX ix_episode_alert ON episode (alert_id, starts_at);

CREATE INDEX ix_episode_incident_id ON episode (incident_id);

CREATE TABLE event (
    id BIGSERIAL NOT NULL,
    digest BYTEA NOT NULL,
    alert_id BIGINT NOT NULL,
    status TEXT NOT NULL,
    starts_at BIGINT NOT NULL,
    ends_at BIGINT,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    first_seq BIGINT NOT NULL,
    last_seq BIGINT NOT NULL,
    count INTEGER NOT NULL,
    CONSTRAINT pk_event PRIMARY KEY (id),
    CONSTRAINT uq_event_digest UNIQUE (digest),
    CONSTRAINT fk_event_alert_id FOREIGN KEY(alert_id) REFERENCES alert (id)
)
 WITH (fillfactor = 70);

CREATE INDEX ix_event_alert ON event (alert_id, starts_at);

CREATE TABLE member (
    incident_id BIGINT NOT NULL,
    alert_id BIGINT NOT NULL,
    added_at BIGINT NOT NULL,
    declared_ended_at BIGINT,
    declared_ended_by BIGINT,
    CONSTRAINT pk_member PRIMARY KEY (incident_id, alert_id),
    CONSTRAINT fk_member_incident_id FOREIGN KEY(incident_id) REFERENCES incident (id),
    CONSTRAINT fk_member_alert_id FOREIGN KEY(alert_id) REFERENCES alert (id),
    CONSTRAINT fk_member_declared_ended_by FOREIGN KEY(declared_ended_by) REFERENCES user_account (id)
);

CREATE INDEX ix_member_alert_id ON member (alert_id);

CREATE TABLE missing_alert (
    alert_id BIGINT NOT NULL,
    since BIGINT NOT NULL,
    CONSTRAINT pk_missing_alert PRIMARY KEY (alert_id),
    CONSTRAINT fk_missing_alert_alert_id FOREIGN KEY(alert_id) REFERENCES alert (id)
);

CREATE TABLE observation (
    id BIGSERIAL NOT NULL,
    incident_id BIGINT NOT NULL,
    run_id BIGINT NOT NULL,
    cycle INTEGER NOT NULL,
    state TEXT NOT NULL,
    begun_at BIGINT NOT NULL,
    soak INTEGER NOT NULL,
    due_at BIGINT NOT NULL,
    look INTEGER DEFAULT '0' NOT NULL,
    looking BOOLEAN DEFAULT '0' NOT NULL,
    failing INTEGER DEFAULT '0' NOT NULL,
    told BOOLEAN DEFAULT '0' NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    looked_at BIGINT,
    ended_at BIGINT,
    CONSTRAINT pk_observation PRIMARY KEY (id),
    CONSTRAINT uq_observation_run_id_cycle UNIQUE (run_id, cycle),
    CONSTRAINT fk_observation_incident_id FOREIGN KEY(incident_id) REFERENCES incident (id),
    CONSTRAINT fk_observation_run_id FOREIGN KEY(run_id) REFERENCES playbook_run (id)
);

CREATE INDEX ix_observation_due ON observation (due_at) WHERE state = 'watching';

CREATE INDEX ix_observation_incident ON observation (incident_id, cycle);

CREATE TABLE page_step (
    id BIGSERIAL NOT NULL,
    dedup TEXT NOT NULL,
    incident_id BIGINT NOT NULL,
    cycle INTEGER NOT NULL,
    run INTEGER NOT NULL,
    policy_id BIGINT,
    policy_version INTEGER NOT NULL,
    round INTEGER NOT NULL,
    step INTEGER NOT NULL,
    target_kind TEXT NOT NULL,
    target_name TEXT NOT NULL,
    user_id BIGINT,
    channel TEXT DEFAULT '' NOT NULL,
    address TEXT DEFAULT '' NOT NULL,
    due_at BIGINT NOT NULL,
    digest_at BIGINT,
    state TEXT NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    outbox_id BIGINT,
    created_at BIGINT NOT NULL,
    settled_at BIGINT,
    CONSTRAINT pk_page_step PRIMARY KEY (id),
    CONSTRAINT uq_page_step_dedup UNIQUE (dedup),
    CONSTRAINT fk_page_step_incident_id FOREIGN KEY(incident_id) REFERENCES incident (id),
    CONSTRAINT fk_page_step_policy_id FOREIGN KEY(policy_id) REFERENCES escalation_policy (id),
    CONSTRAINT fk_page_step_user_id FOREIGN KEY(user_id) REFERENCES user_account (id),
    CONSTRAINT fk_page_step_outbox_id FOREIGN KEY(outbox_id) REFERENCES outbox (id)
);

CREATE INDEX ix_page_step_incident_id ON page_step (incident_id);

CREATE INDEX ix_page_step_outbox_id ON page_step (outbox_id);

CREATE INDEX ix_page_step_queued ON page_step (due_at) WHERE state = 'queued';

CREATE INDEX ix_page_step_user ON page_step (user_id, due_at);

CREATE TABLE playbook_step (
    run_id BIGINT NOT NULL,
    step TEXT NOT NULL,
    position INTEGER NOT NULL,
    mandatory BOOLEAN NOT NULL,
    outcome TEXT,
    branch TEXT,
    left_out BOOLEAN DEFAULT '0' NOT NULL,
    note TEXT DEFAULT '' NOT NULL,
    actor_id BIGINT,
    at BIGINT,
    CONSTRAINT pk_playbook_step PRIMARY KEY (run_id, step),
    CONSTRAINT fk_playbook_step_run_id FOREIGN KEY(run_id) REFERENCES playbook_run (id),
    CONSTRAINT fk_playbook_step_actor_id FOREIGN KEY(actor_id) REFERENCES user_account (id)
);

CREATE TABLE review_approval (
    review_id BIGINT NOT NULL,
    actor_id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    self_reviewed BOOLEAN DEFAULT '0' NOT NULL,
    CONSTRAINT pk_review_approval PRIMARY KEY (review_id, actor_id),
    CONSTRAINT fk_review_approval_review_id FOREIGN KEY(review_id) REFERENCES review (id),
    CONSTRAINT fk_review_approval_actor_id FOREIGN KEY(actor_id) REFERENCES user_account (id)
);

CREATE TABLE check_ask (
    id BIGSERIAL NOT NULL,
    incident_id BIGINT,
    run_id BIGINT,
    hash VARCHAR(64) NOT NULL,
    step TEXT NOT NULL,
    purpose TEXT NOT NULL,
    labels TEXT,
    cycle INTEGER,
    observation_id BIGINT,
    look INTEGER,
    priority INTEGER NOT NULL,
    state TEXT NOT NULL,
    check_run_id BIGINT,
    asked_by BIGINT,
    asked_at BIGINT NOT NULL,
    done_at BIGINT,
    CONSTRAINT pk_check_ask PRIMARY KEY (id),
    CONSTRAINT fk_check_ask_incident_id FOREIGN KEY(incident_id) REFERENCES incident (id),
    CONSTRAINT fk_check_ask_run_id FOREIGN KEY(run_id) REFERENCES playbook_run (id),
    CONSTRAINT fk_check_ask_hash FOREIGN KEY(hash) REFERENCES playbook_version (hash),
    CONSTRAINT fk_check_ask_observation_id FOREIGN KEY(observation_id) REFERENCES observation (id),
    CONSTRAINT fk_check_ask_check_run_id FOREIGN KEY(check_run_id) REFERENCES check_run (id),
    CONSTRAINT fk_check_ask_asked_by FOREIGN KEY(asked_by) REFERENCES user_account (id)
);

CREATE INDEX ix_check_ask_incident ON check_ask (incident_id, id);

CREATE INDEX ix_check_ask_joined ON check_ask (check_run_id) WHERE state = 'joined';

CREATE INDEX ix_check_ask_observation ON check_ask (observation_id, look);

CREATE INDEX ix_check_ask_run ON check_ask (run_id, step, id);

CREATE INDEX ix_check_ask_waiting ON check_ask (priority, id) WHERE state = 'waiting';

INSERT INTO setting (name, value) VALUES ('admin_log_head', '{"seq":0,"mac":"0000000000000000000000000000000000000000000000000000000000000000"}');

