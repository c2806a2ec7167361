import { Trans } from '@lingui/react/macro';
import { useRouter, type ErrorComponentProps } from '@tanstack/react-router';
import { Page } from '../parts/page.tsx';
import { Failure } from '../parts/states.tsx';

/** Page in the place of one that could not be shown. */
export function RouteFailure({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  return (
    <Page title={<Trans>This page cannot be shown</Trans>}>
      <Failure
        error={error}
        onRetry={() => {
          reset();
          void router.invalidate();
        }}
      />
    </Page>
  );
}
