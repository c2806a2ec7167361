import { Trans } from '@lingui/react/macro';
import { Link } from '@tanstack/react-router';
import { Empty } from '../parts/states.tsx';

/** Page for an address that leads nowhere. */
export function Lost() {
  return (
    <Empty
      title={
        <h1>
          <Trans>There is no such page</Trans>
        </h1>
      }
    >
      <Link to="/" className="text-accent underline">
        <Trans>To the first page</Trans>
      </Link>
    </Empty>
  );
}
