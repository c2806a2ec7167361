/** Words for the values of the API. A new value does not compile until it has its word. */
import type { MessageDescriptor } from '@lingui/core';
import { msg } from '@lingui/core/macro';
import type { Schemas } from '../api/client.ts';

type Words<T extends string> = Record<T, MessageDescriptor>;

export const INTEGRATION_STATUS: Words<Schemas['IntegrationStatus']> = {
  verifying: msg`Verifying`,
  connected: msg`Connected`,
  error: msg({ message: 'Error', comment: 'Status of an integration' }),
  disabled: msg`Disabled`,
};

export const VERDICT: Words<Schemas['VerdictKind']> = {
  valid: msg`Key accepted`,
  invalid: msg`Key refused`,
  no_credit: msg`No credit left`,
  restricted: msg`Key is restricted`,
  rate_limited: msg`Provider asks to wait`,
  unreachable: msg`Provider not reached`,
  misconfigured: msg`Wrong address`,
  undecryptable: msg`Key cannot be opened`,
};

export const OPERATION_STATE: Words<Schemas['OperationState']> = {
  queued: msg`Queued`,
  running: msg`Running`,
  succeeded: msg`Succeeded`,
  failed: msg`Failed`,
  cancelled: msg`Cancelled`,
};

export const ROLE: Words<Schemas['Role']> = {
  owner: msg`Owner`,
  admin: msg`Admin`,
  operator: msg`Operator`,
  developer: msg`Developer`,
  auditor: msg`Auditor`,
  billing: msg`Billing`,
};

export const ROLE_NOTE: Words<Schemas['Role']> = {
  owner: msg`Everything in the tenant.`,
  admin: msg`Everything but to delete the tenant, and to make or remove owners.`,
  operator: msg`Integrations, virtual keys, providers, limits, operations; nothing of people.`,
  developer: msg`Virtual keys, tests of integrations, usage and single calls.`,
  auditor: msg`Reads everything, changes nothing.`,
  billing: msg`Usage, cost and budgets.`,
};

export const OPERATION_KIND: Words<Schemas['OperationKind']> = {
  verify_key: msg`Verify a key`,
  plan_usage: msg`Fetch usage of all keys`,
  fetch_usage: msg`Fetch usage`,
  revoke: msg`Revoke everywhere`,
  send_mail: msg`Send a mail`,
  check_schema: msg`Check entries`,
};

export const OPERATION_ORIGIN: Words<Schemas['OperationOrigin']> = {
  request: msg`On request`,
  schedule: msg`By schedule`,
  parent: msg`By its parent`,
};

export const CREDENTIAL: Words<Schemas['Credential']> = {
  own: msg`Own key`,
  fallback: msg`Operator's key`,
};

export const CALL_OUTCOME: Words<Schemas['CallOutcome']> = {
  completed: msg`Completed`,
  broken_off: msg`Broken off`,
  settled: msg`Outcome unknown`,
  refused: msg`Refused by Keyway`,
};

export const ACTOR_TYPE: Words<Schemas['ActorType']> = {
  admin: msg`Operator`,
  virtual_key: msg`Virtual key`,
  user: msg`Person`,
  service: msg`Service`,
  system: msg`Keyway itself`,
};

export const AUDIT_OUTCOME: Words<Schemas['AuditOutcome']> = {
  success: msg`Took effect`,
  denied: msg`Denied`,
};

export const LEDGER: Words<Schemas['Ledger']> = {
  metered: msg`Metered by Keyway`,
  reported: msg`Reported by the provider`,
};
