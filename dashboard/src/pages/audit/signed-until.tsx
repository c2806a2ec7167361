import { Plural, Trans } from '@lingui/react/macro';
import { useQuery } from '@tanstack/react-query';
import { lastCheckpoint } from '../../api/audit.ts';
import { Time } from '../../parts/time.tsx';

/** How far the log is signed: what nobody changes unseen. */
export function SignedUntil() {
  const { data: checkpoint } = useQuery(lastCheckpoint);
  if (checkpoint === undefined) return null;
  return (
    <p className="text-small text-soft" title="keyway audit verify">
      {checkpoint === null ? (
        <Trans>No entry is signed yet.</Trans>
      ) : (
        <Trans>
          <Plural value={checkpoint.entries} one="# entry is signed" other="# entries are signed" />, the last time{' '}
          <Time at={checkpoint.created_at} />
        </Trans>
      )}
    </p>
  );
}
