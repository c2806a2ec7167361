/** Sentences for the errors of the API that people meet; all others show the server's own sentence. */
import type { I18n } from '@lingui/core';
import { msg } from '@lingui/core/macro';
import { ApiError } from '../api/client.ts';

const SENTENCES = {
  unreachable: msg`Keyway does not answer. It is asked again by itself.`,
  invalid_credentials: msg`The address, the password, the code or the passkey is wrong.`,
  too_many_attempts: msg`There were wrong attempts. Wait a moment, then try again.`,
  unauthenticated: msg`Your session has ended. Sign in again.`,
  not_allowed: msg`Your role does not allow this.`,
  duplicate_key: msg`This key is here already, under another name.`,
  name_taken: msg`Another one has this name already.`,
  precondition_failed: msg`Somebody else changed this in the meantime. Look at it again.`,
  last_owner: msg`The last owner stays: make somebody else an owner first.`,
  not_found: msg`It is not there any more.`,
};

/** What browsers say when there is no passkey to be had. */
const NO_PASSKEY = {
  NotAllowedError: msg`No passkey came: it was cancelled, or took too long.`,
  InvalidStateError: msg`This device has a passkey of yours already.`,
};

/** Says what went wrong, in the language of the page. */
export function sentence(i18n: I18n, error: unknown): string {
  if (error instanceof DOMException && error.name in NO_PASSKEY) {
    return i18n._(NO_PASSKEY[error.name as keyof typeof NO_PASSKEY]);
  }
  if (!(error instanceof ApiError)) return error instanceof Error ? error.message : String(error);
  const known = SENTENCES[error.code as keyof typeof SENTENCES];
  return known === undefined ? error.message : i18n._(known);
}
