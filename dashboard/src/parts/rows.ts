import type { InfiniteData, UseInfiniteQueryResult } from '@tanstack/react-query';
import { useCallback } from 'react';

interface Slice<Row> {
  items: Row[];
}

/** Rows of a list that is fetched page by page, and what fetches the next page; undefined: there is none. */
export function useRows<Row, Page extends Slice<Row>>(
  found: UseInfiniteQueryResult<InfiniteData<Page & Slice<Row>>>,
): { rows: Row[]; onEnd: (() => void) | undefined } {
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = found;
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  return { rows: found.data?.pages.flatMap((page) => page.items) ?? [], onEnd: hasNextPage ? onEnd : undefined };
}
