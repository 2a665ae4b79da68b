/* The names of the skills, asked for once by each screen that shows ids. */
import { computed, onMounted, ref, shallowRef } from "vue";

import { api } from "./client";
import type { SkillView } from "./events";
import { useWords } from "./words";

export function useSkills() {
  const { skillName } = useWords();
  const items = shallowRef<SkillView[] | null>(null);
  const failed = ref(false);
  async function load(): Promise<void> {
    failed.value = false;
    try {
      items.value = (await api.skills()).items;
    } catch {
      failed.value = true;
    }
  }
  onMounted(load);

  const names = computed(() => new Map((items.value ?? []).map((skill) => [skill.id, skillName(skill.name)])));
  const nameOf = (id: number) => names.value.get(id) ?? "…";
  return { items, failed, load, nameOf };
}
